"""The order of sets, and `hash()` of strings: another in every process."""

import sys

from .. import hash_lines, notebook, own_code
from ..kept import os
from .base import ALWAYS, Factor


class HashSeed(Factor):
    name = "hash-seed"
    group = "order"
    title = "Python's hash seed (order of sets)"
    symptom = (
        "A vocabulary, the numbers of labels or the order of features are others in every run, "
        "and the same within one."
    )
    explanation = (
        "Python hashes strings with a seed that is drawn anew in every process, so sets of strings "
        "are walked in another order in every run. Setting PYTHONHASHSEED inside the script comes "
        "too late."
    )
    because = "the order of a set changes with Python's hash seed"
    reasons = (("hash()", "the value of `hash()` changes with Python's hash seed"),)
    # Often it is but the name of a file, and harmless.
    weaker = ("hash()",)
    pinned = "`PYTHONHASHSEED=0`."
    varied = "Another `PYTHONHASHSEED` in every trial."
    noticed = (
        "A trial can't see it, so it counts as in use. The source of the script, and of its own "
        "modules, tells which lines take up the order of a set or the value of `hash()`."
    )
    stress = "dormant"
    acts = "before-start"
    observable = False
    due = (ALWAYS,)
    advice = (
        "Sort what comes out of a set before it is used: `sorted(set(words))`. Take a hash from "
        "`hashlib` or `zlib.crc32` instead of `hash()`. Or start Python with PYTHONHASHSEED=0."
    )
    references = (
        (
            "Python: PYTHONHASHSEED",
            "https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED",
        ),
        (
            "Python: object.__hash__",
            "https://docs.python.org/3/reference/datamodel.html#object.__hash__",
        ),
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
        if arm == "free":
            places = Places(session, self.name)
            session.first_checkpoint.append(places.tell)
            session.at_end.append(places.tell)
        if arm == "pinned":
            seen = [os.environ.get("PYTHONHASHSEED"), sys.flags.hash_randomization]
            own = session.plan.get("restarted") and (seen[0] or "").isdigit()
            # A script that starts itself again with a hash seed of its own holds it as well.
            session.read_back(self.name, seen if own else ["0", 0], seen)


class Places(object):
    """Tells which lines of the subject's own files depend on the hash seed, or on addresses."""

    def __init__(self, session, factor):
        self.session = session
        # As it was when the interpreter started: what the script sets comes too late.
        fixed = (os.environ.get("PYTHONHASHSEED") or "random").isdigit()
        # Whether a set holds strings or objects without a hash of their own can't be read off the
        # line: the latter are ordered by address, which no hash seed fixes.
        self.marks = ((factor, False if fixed else None), ("addresses", None))
        # As the compiled script has it (running.py).
        script = session.plan["script"]
        self.script = os.path.join(os.getcwd(), script) if sys.version_info >= (3, 9) else script
        self.done = set()

    def files(self):
        """The script and the modules that it imported from the subject's folders."""
        if not self.session.cells:
            yield self.script
        folders = tuple(
            os.path.join(os.path.realpath(folder), "") for folder in self.session.plan["folders"]
        )
        for path in own_code.files(self.session):
            if path.endswith(".py") and os.path.realpath(path).startswith(folders):
                yield path

    def tell(self):
        for path in self.files():
            if path in self.done:
                continue
            self.done.add(path)
            try:
                with open(path, "rb") as file:
                    found = hash_lines.read(file.read(), path)
            except (OSError, SyntaxError, ValueError, RecursionError):
                # Gone since, or such that its syntax tree can't be read: nothing to tell.
                continue
            for line, function, what in found:
                self.count((path, line, function), what)
        for site, what in self.in_cells():
            if (site, what) not in self.done:
                self.done.add((site, what))
                self.count(site, what)

    def count(self, site, what):
        for factor, unseeded in self.marks:
            self.session.sightings.count((factor, what, unseeded, None, site, ""))

    def in_cells(self):
        """Of a notebook's cells, read as the one program that they are: its sites and findings."""
        cells = self.session.cells
        places = [(cell.name, i + 1) for cell in cells for i in range(len(cell.ran))]
        text = "\n".join(line for cell in cells for line in cell.ran)
        try:
            found = hash_lines.read(text, self.script, notebook.AWAITING)
        except (SyntaxError, ValueError, RecursionError):
            return
        for line, function, what in found:
            yield places[line - 1] + (function,), what


FACTOR = HashSeed()
