"""Trials on the machines of a cluster, through an engine that others have made."""
