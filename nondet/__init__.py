"""nondet: why won't this training run repeat?"""

__version__ = "0.1.0"
