"""One trial inside the subject's process: its plan, events, streams and pins."""

import sys
import traceback

from . import auditing, events, evidence, hooks, seedings
from .factors import REGISTRY
from .factors.base import ALWAYS
from .kept import hashlib, os, threading

SEEDS = "seed/"
"""How the names of the streams begin that give factors their seeds."""
IMPORTING = ("importlib", "importlib._bootstrap", "importlib._bootstrap_external")
UNKNOWN = "unknown"
"""Stands for a factor in sightings of what no factor explains."""


class Session(object):
    """What factors and the recorder are handed."""

    def __init__(self, plan):
        self.plan = plan
        self.arms = plan["arms"]
        self.events = events.Events(plan["events"])
        self.hooks = hooks.PostImport(self.failed, self.again)
        marks = [(f.name, f.recognises) for f in REGISTRY if f.consumer]
        self.sightings = evidence.Sightings(
            self.events.emit,
            plan["folders"],
            marks,
            library_folders(),
            plan.get("packages", ()),
        )
        self.seedings = seedings.Seedings(self.events.emit, self.sightings)
        self.counters = {}
        self.first_checkpoint = []
        self.each_checkpoint = []
        """What a trial that is stopped at its first difference must have told by then."""
        self.at_end = []
        self.held = ""
        """The factor whose pin is applied just now, and whose hooks are set."""
        self.quiet = None
        """The thread that only tells of pins that hold no more."""
        self.cells = []
        """Of a notebook (notebook.py)."""

    def start(self):
        """Apply the plan's pins and begin to listen. Hooks go in front of every other finder."""
        sys.meta_path.insert(0, self.hooks)
        auditing.listen("import", self.hooks.stay, self.failed)
        self.events.emit(
            "started",
            trial=self.plan["trial"],
            plan=self.plan["hash"],
            pid=os.getpid(),
            python=sys.version.split()[0],
        )
        for factor in REGISTRY:
            arm = self.arms.get(factor.name, "free")
            self.held = "" if arm == "free" else factor.name
            try:
                factor.install(self, arm)
            except Exception as error:
                self.failed("installing " + factor.name, error, unheld=self.held)
            self.held = ""
            if arm == "pinned":
                self.due(factor)

    def due(self, factor):
        """Tell when the pin of `factor` acts: a trial that does not read it back proves nothing."""

        def tell(_):
            self.events.emit("due", factor=factor.name)

        for module in factor.due:
            if module == ALWAYS:
                tell(module)
            else:
                self.on_import(module, tell)

    def on_import(self, name, callback):
        """Call ``callback(module)`` right after that module's import. Where that is to apply a pin,
        its failure is one of the pin's, and so is that of what it sets up in its turn."""
        held = self.held

        def holding(module):
            before, self.held = self.held, held
            try:
                callback(module)
            except Exception as error:
                self.failed("after the import of " + name, error, unheld=held)
            finally:
                self.held = before

        self.hooks.on_import(name, holding if held else callback)

    def number(self, stream, bits=31):
        """Next integer of a named stream: a function of the plan's seed, the name and the count.

        Below ``2 ** bits``. Not from `random`, whose state belongs to the subject.
        """
        count = self.counters.get(stream, 0)
        self.counters[stream] = count + 1
        return number(self.plan["seed"], stream, count, bits)

    def seed(self, factor, arm):
        """A seed for the pinned or varied arm of `factor`: the same, or another in every trial."""
        stream = factor if arm == "pinned" else "%s/%s" % (factor, self.plan["trial"])
        return self.number(SEEDS + stream)

    def saw(self, factor, detail, unseeded, depth=1):
        """Note that the caller `depth` frames above exercised `factor`.

        `unseeded`: True when what it got is another in every run (a suspect), False when it can't
        vary, None when that can't be seen (a lead where a line of the user's is behind it).
        """
        try:
            self.sightings.saw(factor, detail, unseeded, depth + 1)
        except Exception as error:
            self.failed("noting " + factor, error)

    def saw_from(self, frame, factor, detail, unseeded):
        """Note that the code of this frame, which may be another thread's, exercised `factor`."""
        try:
            self.sightings.saw_from(frame, factor, detail, unseeded)
        except Exception as error:
            self.failed("noting " + factor, error)

    def seeded(self, factor, call, value, depth=1, holds=None):
        """Note that the caller `depth` frames above gave a generator of `factor` a seed.

        `call` is what stands in the user's line (``np.random.seed``); `value` is the seed, of which
        only a digest leaves the process. `holds`: how the details of those draws start that this
        seed holds when it comes before them; empty for an object that was just made, None for all
        draws of the factor.
        """
        try:
            self.seedings.seeded(factor, call, value, sys._getframe(depth), holds)
        except Exception as error:
            self.failed("noting a seed of " + factor, error)

    def unexplained(self, detail, frame):
        """Note activity that no factor explains: a suspect when nothing known holds the runs."""
        try:
            key, _ = self.sightings.key(UNKNOWN, detail, None, frame)
            self.sightings.count(key)
        except Exception as error:
            self.failed("noting " + detail, error)

    def unexplained_at(self, detail, site):
        """The same of a place: file, line, function."""
        self.sightings.count((UNKNOWN, detail, None, None, site, ""))

    def again(self, name):
        """A module is executed anew: what stood in it is gone, in the new one nobody listens."""
        try:
            frame, kind = self.asker(sys._getframe(1), IMPORTING)
            if kind == "user":
                self.unexplained("`%s` is executed anew, and not listened to" % name, frame)
        except Exception as error:
            self.failed("noting an import", error)

    def asker(self, frame, through=()):
        """The frame that asks, above ours and those of the standard library's modules `through`
        (names such as ``uuid``) that only pass on, and its kind: ``user``, ``library``,
        ``standard`` or ``importing`` (a library on its way in)."""
        return self.sightings.asker(frame, through)

    def read_back(self, factor, expected, seen):
        """Report that a pin took: `seen` was read from the process, not from the plan."""
        ok = bool(expected == seen)
        if not ok or self.quiet != threading.get_ident():
            self.events.emit("pin", factor=factor, expected=expected, seen=seen, ok=ok)

    def look(self, read, told=False, early=True, late=True):
        """Have `read()` read a pin back at the first checkpoint unless `early` is false, and again
        at the end unless `late` is false. Without a checkpoint it is read at the end in any case.
        That it holds is told once; `told`: it was before."""
        state = [told]

        def again():
            known, state[0] = state[0], True
            self.quiet = threading.get_ident() if known else None
            try:
                read()
            finally:
                self.quiet = None

        def at_checkpoint():
            if told:
                self.attempt("reading a pin back again", again)
            else:
                # Its failure is one of recording.
                again()

        def at_end():
            if late or not state[0]:
                again()

        if early:
            self.first_checkpoint.append(at_checkpoint)
        self.at_end.append(at_end)

    def variables(self, read):
        """Have `read()` read back now what the host has set in the environment, and again once the
        script may have set it otherwise, as it does above its imports. What it sets after its
        libraries have looked makes no difference."""
        read()
        self.look(read, told=True, late=False)

    def attempt(self, where, call):
        try:
            call()
        except Exception as error:
            self.failed(where, error)

    def failed(self, where, error, lost=False, unheld=""):
        """An error of ours is reported, and never reaches the subject.

        `lost`: something that was to be compared is missing, so that the trial proves nothing.
        `unheld`: a factor whose pin, where it has one, has not done its work.
        """
        try:
            self.tell_of(where, error, lost, unheld)
        except Exception:
            # The script has broken what is needed to tell of anything.
            return

    def tell_of(self, where, error, lost, unheld):
        said = events.in_words(error)
        if unheld and self.arms.get(unheld, "free") != "free":
            kind = type(error).__name__
            self.events.emit(
                "pin", factor=unheld, expected="no error", seen="%s: %s" % (kind, said), ok=False
            )
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.events.emit("guest-error", where=where, error=said, traceback=text[-4000:], lost=lost)

    def finish(self):
        if not self.events.file.at_home():
            # A forked child that comes to its end by itself: what it would look at may hang there.
            return
        for callback in self.at_end:
            self.attempt("at the end", callback)
        self.attempt("telling what was seen", self.summary)

    def summary(self):
        self.events.emit(
            "finished", sightings=self.sightings.summary(), seedings=self.seedings.summary()
        )


def number(seed, stream, count, bits=31):
    """The number of that count, from 0, in a named stream of a plan with this seed."""
    text = "%s/%s/%s" % (seed, stream, count)
    value, block = 0, 0
    while block * 256 < bits:
        digest = hashlib.sha256(("%s/%d" % (text, block)).encode("utf-8")).digest()
        value |= int.from_bytes(digest, "big") << (256 * block)
        block += 1
    return value & ((1 << bits) - 1)


def library_folders():
    """Folders of the interpreter: frames in them are nobody's own code."""
    import sysconfig

    found = {sys.prefix, sys.base_prefix}
    for name in ("stdlib", "platstdlib", "purelib", "platlib"):
        path = sysconfig.get_paths().get(name)
        if path:
            found.add(path)
    keep = []
    for path in found:
        real = os.path.join(os.path.realpath(path), "")
        # A prefix such as /usr holds people's own folders as well; its lib folders are listed.
        if real.count(os.sep) > 2:
            keep.append(real)
    return keep
