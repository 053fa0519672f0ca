"""What runs inside the user's interpreter. Standard library only, syntax of Python 3.7."""
