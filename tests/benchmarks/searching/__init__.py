"""Judges the search in a simulator, against the tools that people would otherwise use."""
