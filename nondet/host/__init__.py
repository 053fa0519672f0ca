"""Host: starts trials, listens, compares, drives the search."""
