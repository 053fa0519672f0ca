"""Where objects lie in memory, and the order of sets that are kept by it."""

import sys

from .. import asking, auditing
from .base import ALWAYS, Factor, replace

ADDR_NO_RANDOMIZE = 0x0040000


class Addresses(Factor):
    name = "addresses"
    group = "order"
    title = "Memory addresses (order of sets of objects)"
    symptom = (
        "Objects come out of a set in another order in every run, and PYTHONHASHSEED does not help."
    )
    explanation = (
        "Objects without a `__hash__` of their own are hashed by where they lie in memory, so sets "
        "of them are walked in another order in every run. `id()` and the default `repr` show "
        "that place as well, and `threading.get_ident` shows where the memory of a thread lies."
    )
    because = "the order of a set changes with the places of its objects in memory"
    reasons = (
        ("hash()", "the value of `hash()` changes with the place of an object in memory"),
        ("id()", "the value of `id()` changes with the place of an object in memory"),
        ("threading.get_ident", "the number of a thread changes with its place in memory"),
    )
    weaker = ("hash()",)
    pinned = (
        "The process is started without address space randomisation, and with PYTHONHASHSEED=0: "
        "where objects lie also follows from the order in which sets were walked before. It "
        "follows from all else that was done before as well, so that after large imports this pin "
        "may need those of the seeds and of entropy beside it."
    )
    noticed = (
        "A trial sees `id()` and `threading.get_ident` in the script's own code. It can't see the "
        "order of a set, so it counts as in use; the report names the lines that depend on the "
        "order of one."
    )
    acts = "before-start"
    fixed_addresses = True
    includes = ("hash-seed",)
    observable = False
    due = (ALWAYS,)
    advice = (
        "Keep objects in a list or a dict (which keeps the order of insertion), give their class a "
        "`__hash__` and an `__eq__` by value, or sort by a value of theirs before use. Use no "
        "`id()` as a key to sort by."
    )
    edits = (("threading.get_ident", "42  # the worker's index instead of the thread's id"),)
    references = (
        ("Python: id", "https://docs.python.org/3/library/functions.html#id"),
        (
            "Python: object.__hash__",
            "https://docs.python.org/3/reference/datamodel.html#object.__hash__",
        ),
        ("personality(2)", "https://man7.org/linux/man-pages/man2/personality.2.html"),
    )

    def environment(self, arm, number):
        return {"PYTHONHASHSEED": "0"} if arm == "pinned" else {}

    def unavailable(self, machine):
        if not sys.platform.startswith("linux"):
            return "addresses can be held on Linux only"
        if not machine.get("fixed_addresses", True):
            return "the system does not let a process do without address space randomisation"
        return ""

    def install(self, session, arm):
        auditing.listen("builtins.id", lambda frame, _: self.asked(session, frame), session.failed)
        import threading

        replace(threading, "get_ident", lambda original: self.identity(session, original))
        if arm == "pinned":
            # A script that starts itself again with a hash seed of its own holds it as well.
            hashing = bool(session.plan.get("restarted")) or not sys.flags.hash_randomization
            seen = [asked_for(), stack_at_top(), hashing]
            session.read_back(self.name, [True, True, True], seen)

    def asked(self, session, frame):
        sightings = session.sightings
        filename = frame.f_code.co_filename
        kind = sightings.askers.get(filename)
        if kind is None:
            kind = sightings.askers[filename] = sightings.kind(filename, frame)
        if kind == "user":
            session.saw(self.name, "id()", None)

    def identity(self, session, original):
        """The number is an address: no other stands in, by which nothing knows the thread."""

        def wrapper(*args, **kwargs):
            try:
                if asking.asker(session, sys._getframe(1))[1] == "user":
                    session.saw(self.name, "threading.get_ident", None)
            except Exception as error:
                session.failed("noting threading.get_ident", error)
            return original(*args, **kwargs)

        return wrapper


def asked_for():
    """Whether the kernel was asked for fixed addresses."""
    with open("/proc/self/personality") as file:
        return bool(int(file.read(), 16) & ADDR_NO_RANDOMIZE)


def stack_at_top():
    """Whether the stack ends where no random gap is left above it: just below a power of two."""
    with open("/proc/self/maps") as file:
        for line in file:
            if line.rstrip().endswith("[stack]"):
                end = int(line.split()[0].split("-")[1], 16)
                top = -(-end // 0x10000) * 0x10000
                return top & (top - 1) == 0
    return False


FACTOR = Addresses()
