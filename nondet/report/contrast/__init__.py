"""What the comparison of two recorded runs looks like: in the terminal, and as a page."""
