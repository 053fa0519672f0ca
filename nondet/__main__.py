"""``python -m nondet``."""

from nondet.cli import main

main(prog_name="nondet")
