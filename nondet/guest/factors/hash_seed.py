"""The order of sets, and `hash()` of strings: another in every process."""

import os
import sys

from .base import Factor


class HashSeed(Factor):
    name = "hash-seed"
    group = "order"
    title = "Python's hash seed (order of sets)"
    explanation = (
        "Python hashes strings with a seed that is drawn anew in every process, so sets of strings "
        "are walked in another order in every run. Setting PYTHONHASHSEED inside the script comes "
        "too late."
    )
    because = "the order of a set changes with Python's hash seed"
    pinned = "`PYTHONHASHSEED=0`."
    varied = "Another `PYTHONHASHSEED` in every trial."
    noticed = (
        "A trial can't see it, so it counts as in use. The report names the lines of the script "
        "that make a set or call `hash()`."
    )
    acts = "before-start"
    observable = False
    advice = (
        "Sort what comes out of a set before it is used: `sorted(set(words))`. Or start Python "
        "with PYTHONHASHSEED=0."
    )
    launch = (("PYTHONHASHSEED", "0"),)

    def environment(self, arm, number):
        if arm == "pinned":
            return {"PYTHONHASHSEED": "0"}
        if arm == "varied":
            return {"PYTHONHASHSEED": str(number % 4294967295 + 1)}
        return {}

    def unavailable(self, machine):
        value = machine.get("environ", {}).get("PYTHONHASHSEED", "random")
        if value not in ("", "random"):
            return "PYTHONHASHSEED is already %s in the environment" % value
        return ""

    def install(self, session, arm):
        if arm == "pinned":
            seen = [os.environ.get("PYTHONHASHSEED"), sys.flags.hash_randomization]
            own = session.plan.get("restarted") and (seen[0] or "").isdigit()
            # A script that starts itself again with a hash seed of its own holds it as well.
            session.read_back(self.name, seen if own else ["0", 0], seen)


FACTOR = HashSeed()
