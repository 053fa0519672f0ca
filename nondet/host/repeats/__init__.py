"""The parts of ``nondet repeat``: what is run, what is measured, and in which words it is told."""
