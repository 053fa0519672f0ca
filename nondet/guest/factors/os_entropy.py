"""The operating system's entropy: `os.urandom`, and what draws through it."""

import functools
import hashlib
import os
import sys

from .. import asking, auditing
from ..lineage import LINEAGE
from ..os_functions import replace_in_os
from .base import ALWAYS, Factor, replace

THROUGH = ("uuid", "secrets", "random")
DEVICES = ("/dev/urandom", "/dev/random")
OPENING = ("pathlib", "pathlib._local")
"""Modules that only pass on what they are asked to open."""
DEVICE_SIZE = 1 << 20
"""Bytes in the stand-in for such a device: a file that is opened anew starts another."""


NAMING = ("sklearn.callback.",)
"""Modules that draw identifiers for what they do: every `fit` of scikit-learn's gets one."""
STREAM = "import random\nFIXED = random.Random(42)"
"""What takes the place of the operating system's entropy."""
UUID = "uuid.UUID(int=FIXED.getrandbits(128), version=4)"
MADE_ONCE = "  # with FIXED = random.Random(42) at the top"
"""Made at the line itself, it would give the same number at every call."""


class OsEntropy(Factor):
    name = "os-entropy"
    group = "entropy"
    title = "The operating system's entropy"
    symptom = "A split, a name or a seed is another in every run, whatever is seeded."
    explanation = (
        "`os.urandom`, `secrets`, `uuid.uuid4` and `random.SystemRandom` give other numbers at "
        "every call. No seed reaches them."
    )
    because = "numbers come from the operating system's entropy, which has no seed"
    pinned = (
        "The script's own draws, and those that libraries make for it, come from a fixed stream, "
        "one for each call site; `/dev/urandom` is a file of such numbers, where the system can "
        "make one, for `open`, `pathlib` and `os.open`. Draws of the standard library for itself, "
        "and of libraries while they are imported, are left alone."
    )
    varied = "From another stream in every trial."
    noticed = (
        "By every call of the script's own, and by calls of libraries with a line of the script "
        "behind them. Whether a result depends on such a number can't be seen."
    )
    acts = "before-import"
    due = (ALWAYS,)
    advice = (
        "Draw what the results depend on from a seeded generator: `random.Random(42)` or "
        "`np.random.default_rng(42)`. Keep `os.urandom`, `secrets` and `uuid4` for names and keys."
    )
    references = (
        ("Python: os.urandom", "https://docs.python.org/3/library/os.html#os.urandom"),
        ("Python: secrets", "https://docs.python.org/3/library/secrets.html"),
        ("getrandom(2)", "https://man7.org/linux/man-pages/man2/getrandom.2.html"),
    )
    edits = (
        ("os.urandom", "FIXED.randbytes(n)" + MADE_ONCE),
        ("os.getrandom", "FIXED.randbytes(n)" + MADE_ONCE),
        ("uuid.uuid4", UUID + MADE_ONCE),
        ("secrets.", "random.Random(42)  # in place of secrets"),
        ("random.SystemRandom ", "random.Random(42)  # in place of random.SystemRandom()"),
    )
    rewrites = (
        ("os.urandom", "urandom", "FIXED.randbytes({args})", STREAM),
        ("os.getrandom", "getrandom", "FIXED.randbytes({first})", STREAM),
        ("uuid.uuid4", "uuid4", UUID, STREAM + "\nimport uuid"),
        ("secrets.token_bytes", "token_bytes", "FIXED.randbytes({first or 32})", STREAM),
        ("secrets.token_hex", "token_hex", "FIXED.randbytes({first or 32}).hex()", STREAM),
        ("secrets.randbelow", "randbelow", "FIXED.randrange({first})", STREAM),
        ("secrets.randbits", "randbits", "FIXED.getrandbits({first})", STREAM),
        ("secrets.choice", "choice", "FIXED.choice({args})", STREAM),
        ("random.SystemRandom ", "SystemRandom", "random.Random(42)", "import random"),
    )

    def install(self, session, arm):
        self.session, self.arm, self.noting = session, arm, True
        original = replace_in_os("urandom", self.draws("os.urandom"))
        replace_in_os("getrandom", self.draws("os.getrandom"))
        # Where `os` has it from, which scripts can import as well.
        system = sys.modules.get(os.name)
        if getattr(system, "urandom", None) is original:
            system.urandom = os.urandom
        session.on_import("random", lambda module: self.random_imported(module, original))
        auditing.listen("open", self.opened, session.failed)
        if arm != "free":
            LINEAGE.listen()
            self.hold_devices()
            look = functools.partial(self.read_back, "os.urandom(16)", "os.urandom", os=os)
            look()
            session.look(look, told=True)

    def draws(self, name):
        def make(original):
            def wrapper(*args, **kwargs):
                # Wrong arguments fail before anything is noted.
                drawn = original(*args, **kwargs)
                try:
                    return self.in_place(name, sys._getframe(1), len(drawn)) or drawn
                except Exception as error:
                    self.session.failed("drawing from " + name, error, unheld=self.name)
                    return drawn

            return wrapper

        return make

    def in_place(self, name, frame, size, through=THROUGH):
        """Notes a draw; the bytes to give in its place, or None."""
        frame, kind, call = asking.asker(self.session, frame, through)
        if kind not in ("user", "library") or names_only(frame):
            return None
        site = None
        if kind == "library" or self.arm != "free":
            site, _, _, importing = self.session.sightings.place(frame)
            if importing or site is None:
                return None
        if self.noting:
            if call.startswith("random."):
                call = "random.SystemRandom (%s)" % call[len("random.") :]
            self.session.saw(self.name, call if through is THROUGH and call else name, None)
        return None if self.arm == "free" else self.stream(site, size)

    def stream(self, site, size):
        """The next bytes of a call site's own stream, so that sites don't shift one another."""
        return spread(self.session.number(self.key(site), 256), size)

    def key(self, site):
        trial = "" if self.arm == "pinned" else self.session.plan["trial"]
        # A copied folder lies elsewhere in each trial.
        place = (os.path.basename(site[0]),) + site[1:]
        return "%s/%s/%s/%s" % (self.name, place, LINEAGE.place, trial)

    def random_imported(self, module, original):
        """`random.SystemRandom` draws through a name of its module's own."""
        if module._urandom is original:
            module._urandom = os.urandom
        if self.arm != "free":
            self.read_back("random.SystemRandom().getrandbits(128)", "SystemRandom", random=module)

    def opened(self, frame, arguments):
        """The device itself was opened: where it is held, by a way that nothing stands before."""
        if arguments[0] in DEVICES and self.noting:
            try:
                frame, kind, _ = asking.asker(self.session, frame, OPENING)
                if kind not in ("user", "library") or not self.session.sightings.place(frame)[0]:
                    return
                if self.arm == "free":
                    self.session.saw(self.name, "reading " + arguments[0], None)
                else:
                    self.session.unexplained("reading %s, which is not held" % arguments[0], frame)
            except Exception as error:
                self.session.failed("noting a device", error)

    def hold_devices(self):
        """Files of fixed bytes in place of the random devices, where the system can make them."""
        if not hasattr(os, "memfd_create"):
            return
        import builtins
        import io

        def make(original):
            def wrapper(file, *args, **kwargs):
                if isinstance(file, (str, os.PathLike)) and os.fspath(file) in DEVICES:
                    file = self.device(os.fspath(file), sys._getframe(1)) or file
                return original(file, *args, **kwargs)

            return wrapper

        def make_descriptor(original):
            def wrapper(*args, **kwargs):
                path = args[0] if args else kwargs.get("path")
                found = None
                if isinstance(path, (str, os.PathLike)) and os.fspath(path) in DEVICES:
                    found = self.device(os.fspath(path), sys._getframe(1))
                return original(*args, **kwargs) if found is None else found

            return wrapper

        replace(io, "open", make)
        builtins.open = io.open
        replace_in_os("open", make_descriptor)
        self.read_back("open('/dev/urandom', 'rb', 0)", "open", of_file, open=open)
        self.read_back("os.open('/dev/urandom', 0)", "os.open", of_descriptor, os=os)

    def device(self, path, frame):
        """A descriptor of as many fixed bytes as anybody reads, or None for the device itself."""
        try:
            found = self.in_place("reading " + path, frame, DEVICE_SIZE, THROUGH + OPENING)
            if found is None:
                return None
            descriptor = os.memfd_create("urandom")
            os.write(descriptor, found)
            os.lseek(descriptor, 0, os.SEEK_SET)
            return descriptor
        except Exception as error:
            self.session.failed("standing in for " + path, error, unheld=self.name)
            return None

    def read_back(self, source, call, read=None, **names):
        """See that the user's own code gets our numbers by this way. `read` takes 16 bytes from
        what it gets, and closes it."""
        site = ("read back", 1, "<module>")
        expected = self.stream(site, 16)
        self.session.counters.pop(self.key(site))
        self.noting = False
        try:
            seen = asking.as_user(source, **names)
            seen = seen if read is None else read(seen)
        finally:
            self.noting = True
            self.session.counters.pop(self.key(site), None)
        if not isinstance(seen, bytes):
            seen = seen.to_bytes(16, "big")
        self.session.read_back(self.name, [call, expected.hex()], [call, seen.hex()])


def spread(number, size):
    """`size` bytes that are a function of the number."""
    return hashlib.shake_256(number.to_bytes(32, "big")).digest(size)


def of_file(file):
    with file:
        return file.read(16)


def of_descriptor(descriptor):
    try:
        return os.read(descriptor, 16)
    finally:
        os.close(descriptor)


def names_only(frame):
    """Whether a library draws a name that reaches no result."""
    return str(frame.f_globals.get("__name__")).startswith(NAMING)


FACTOR = OsEntropy()
