"""Files that a former run left in the working folder."""

import sys

from .. import auditing
from ..kept import os
from ..os_functions import replace_in_os
from .base import Factor, replace

WRITING = os.O_WRONLY | os.O_RDWR
PASSING = ("os", "glob", "pathlib", "pathlib._local", "pathlib._abc", "pathlib._os")


class Leftovers(Factor):
    name = "leftovers"
    group = "order"
    title = "Files left by the former run"
    symptom = (
        "The first run in a fresh folder differs from all later ones, or each run goes on where"
        " the one before it ended."
    )
    explanation = (
        "The script writes files into its working folder and finds them there the next time, for "
        "example a checkpoint from which the second run goes on."
    )
    because = "files that the former run left are read again"
    pinned = "Every trial starts from the folder as it was when the diagnosis began."
    free = (
        "A trial starts from the folder as an earlier trial of the same plan left it, once one has"
        " ended. The first two start side by side from the folder as it was."
    )
    noticed = (
        "By the files that a trial wrote into its folder and the lines that wrote them. A trial "
        "that starts from what another left also shows the lines that find and read those files."
    )
    acts = "host"
    advice = (
        "Start from an empty folder, or delete the former run's files at the start, "
        "or write to a new folder in each run."
    )
    references = (
        ("keras.callbacks.BackupAndRestore", "https://keras.io/api/callbacks/backup_and_restore/"),
        ("keras.callbacks.ModelCheckpoint", "https://keras.io/api/callbacks/model_checkpoint/"),
    )

    # Pinned: a fresh working folder for each trial, as the host found it. Free: the folder as the
    # trial before left it. The host makes the folder, and tells whether the subject wrote there.

    def install(self, session, arm):
        if arm == "pinned":
            return
        watch = Watch(session, self.name)
        for event, take in watch.events():
            auditing.listen(event, take, session.failed)
        if watch.left:
            for name in ("stat", "lstat", "access"):
                replace_in_os(name, watch.finding)
        session.on_import("h5py._hl.files", watch.h5py)
        session.on_import("tensorflow.python.lib.io.file_io", watch.file_io)
        session.on_import("tensorflow.python.training.py_checkpoint_reader", watch.checkpoints)


class Watch(object):
    """Notes which lines write into the subject's folders, and which read what was left there."""

    def __init__(self, session, factor):
        self.session = session
        self.factor = factor
        self.folders = tuple(
            os.path.join(os.path.realpath(folder), "") for folder in session.plan["folders"]
        )
        marks = ((os.path.realpath(path), mark(path)) for path in session.plan.get("left") or ())
        self.left = {path: seen for path, seen in marks if seen is not None}
        # Compared first, since it costs next to nothing.
        self.names = frozenset(os.path.basename(path) for path in self.left)
        self.holding = frozenset(os.path.dirname(path) for path in self.left)
        self.wrote = set()
        self.busy = False

    def events(self):
        """Audit events that tell of a file being used, and what to do with each."""
        yield "open", self.hearing(self.open)
        yield "os.rename", self.hearing(lambda args, frame: self.written(args[1], frame))
        yield "sqlite3.connect", self.hearing(self.connect)
        if self.left:
            yield "os.listdir", self.hearing(self.list)
            yield "os.scandir", self.hearing(self.list)

    def hearing(self, take):
        return lambda frame, args: self.guarded(take, args, frame)

    def guarded(self, take, args, frame):
        """An error of ours must not reach the script, nor what we do here ourselves be heard."""
        if self.busy:
            return
        self.busy = True
        try:
            take(args, frame)
        except Exception as error:
            self.session.failed("noting a file in use", error)
        finally:
            self.busy = False

    def open(self, args, frame):
        path, _, flags = args
        if flags & WRITING:
            self.written(path, frame)
        if not flags & os.O_TRUNC:
            self.used("reads", path, frame)

    def connect(self, args, frame):
        if not in_memory(self.text(args[0])):
            self.used("reads", args[0], frame)
            self.written(args[0], frame)

    def text(self, path):
        """The path as text, or None for an open descriptor or no path at all."""
        if isinstance(path, (str, bytes)) or hasattr(path, "__fspath__"):
            return os.fsdecode(path)
        return None

    def leftover(self, path):
        """The full path, if it is that of a file of a former run that still is as it was."""
        text = self.text(path)
        if text is None or os.path.basename(text) not in self.names:
            return None
        real = os.path.realpath(text)
        seen = self.left.get(real)
        return real if seen is not None and mark(real) == seen else None

    def used(self, verb, path, frame):
        found = self.leftover(path) if self.left else None
        if found is not None:
            self.note("%s %s" % (verb, self.shown(found)), None, frame)

    def written(self, path, frame):
        text = self.text(path)
        if text is None:
            return
        real = os.path.realpath(text)
        if not real.startswith(self.folders):
            return
        site = self.session.sightings.place(frame)[0]
        # A line may write a thousand files: the first stands for all.
        if site is not None and site not in self.wrote:
            self.wrote.add(site)
            self.note("writes " + self.shown(real), False, frame)

    def list(self, args, frame):
        """A folder was listed that holds what a former run left."""
        path = args[0]
        if isinstance(path, int):
            return
        folder = os.path.realpath(self.text(path) or ".")
        if folder not in self.holding or self.session.asker(frame, PASSING)[1] == "standard":
            return
        for left, seen in self.left.items():
            if os.path.dirname(left) == folder and mark(left) == seen:
                self.note("lists the folder that holds " + self.shown(left), None, frame)
                return

    def note(self, detail, unseeded, frame):
        if frame.f_globals.get("__package__") == __package__.rpartition(".")[0]:
            # Our own files: events and values.
            return
        site, _, _, importing = self.session.sightings.place(frame)
        if site is not None and not importing:
            self.session.sightings.count((self.factor, detail, unseeded, None, site, ""))

    def shown(self, path):
        """The path as the script would write it."""
        for folder in self.folders:
            if path.startswith(folder):
                return path[len(folder) :]
        return path

    # What happens below Python makes no audit events: told by wrappers instead.

    def finding(self, original):
        def wrapper(*args, **kwargs):
            result = original(*args, **kwargs)
            if args and not self.busy:
                self.guarded(self.find, args[0], sys._getframe(1))
            return result

        return wrapper

    def find(self, path, frame):
        self.used("finds", path, frame)

    def opened(self, args, frame):
        """A file was opened by a library that has modes like those of `open`."""
        path, mode = args
        if mode != "w":
            self.used("reads", path, frame)
        if mode != "r" and mode != "rb":
            self.written(path, frame)

    def h5py(self, module):
        def make(original):
            def wrapper(file, name, *args, **kwargs):
                mode = args[0] if args else kwargs.get("mode", "r")
                self.guarded(self.opened, (name, mode), sys._getframe(1))
                return original(file, name, *args, **kwargs)

            return wrapper

        replace(module.File, "__init__", make)

    def file_io(self, module):
        def opening(original):
            def wrapper(file, name, mode="r", *args, **kwargs):
                self.guarded(self.opened, (name, mode), sys._getframe(1))
                return original(file, name, mode, *args, **kwargs)

            return wrapper

        def exists(original):
            def wrapper(path):
                found = original(path)
                if found:
                    self.guarded(self.find, path, sys._getframe(1))
                return found

            return wrapper

        def whole(original):
            def wrapper(filename, *args, **kwargs):
                # Through a file of a random name: told first, this one stands for it.
                self.guarded(self.opened, (filename, "w"), sys._getframe(1))
                return original(filename, *args, **kwargs)

            return wrapper

        replace(module.FileIO, "__init__", opening)
        replace(module, "atomic_write_string_to_file", whole)
        replace(module, "file_exists_v2", exists)

    def checkpoints(self, module):
        """A checkpoint of TensorFlow is named by what its files' names begin with."""

        def make(original):
            def wrapper(filepattern, *args, **kwargs):
                text = self.text(filepattern)
                if text is not None:
                    self.guarded(self.opened, (text + ".index", "r"), sys._getframe(1))
                return original(filepattern, *args, **kwargs)

            return wrapper

        replace(module, "NewCheckpointReader", make)


def in_memory(name):
    """Whether this is no file but a database of SQLite's in memory, or one without a name, which
    is gone once it is closed."""
    if name is None or not name.startswith("file:"):
        return name in ("", ":memory:")
    path, _, options = name[len("file:") :].partition("?")
    return path in ("", ":memory:") or "mode=memory" in options.split("&")


def mark(path):
    """What changes when a file is written anew, or None when there is no such file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


FACTOR = Leftovers()
