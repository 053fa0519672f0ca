"""Kills of a diagnosis, and of what it has started, at random moments."""
