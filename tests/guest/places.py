"""Runs the probes of places one after the other, as one script: ``python places.py PROBE...``."""

from __future__ import annotations

import runpy
import sys

import keras

for path in sys.argv[1:]:
    keras.backend.clear_session()
    runpy.run_path(path, run_name="__main__")
