"""Changes to the text of a script: pure functions from text to text, formatting kept."""
