"""The HTML report's parts: templates, styles, scripts, and the words and matrices they show."""
