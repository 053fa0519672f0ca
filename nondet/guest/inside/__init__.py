"""Looks inside the steps of a window: every tensor that comes into being there, as a digest."""
