"""What a machine looks like: in the terminal, and as a page. Functions of its record only."""
