"""Diagnoses of many trials, and of large ones."""
