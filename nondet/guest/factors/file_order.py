"""The order of directory listings: `os`, `glob`, `pathlib` and TensorFlow's `gfile`."""

import os
import sys

from .. import asking
from ..os_functions import kept_references, replace_in_os
from .base import ALWAYS, Factor, replace

PASSING = ("os", "glob", "pathlib", "pathlib._local", "pathlib._abc", "pathlib._os")
"""Modules of the standard library that list a folder on behalf of their caller."""
SETTLED = (
    *("keras.", "tf_keras.", "tensorflow.python.keras.", "sklearn.", "torchvision."),
    # It looks for its plug-ins and drivers.
    "jax.",
)
"""Libraries that sort what they list before they use it, or in which no result depends on it."""
ASKING = ("user", "library")
LISTING = ("listdir", "scandir")
WALKED = "(dirs.sort() or files.sort() or (root, dirs, files) for root, dirs, files in {call})"
"""Sorted in place, a script can still take folders off the list that the walk goes by."""
GFILE = "tensorflow/python/lib/io/file_io.py"


class FileOrder(Factor):
    name = "file-order"
    group = "order"
    title = "The order of directory listings"
    symptom = (
        "Runs agree for weeks, and part after the data were copied, downloaded anew or moved to"
        " another machine."
    )
    explanation = (
        "The operating system lists the files of a folder in no particular order: it changes with "
        "the file system, with the order in which the files were written, and on another machine."
    )
    because = "the files of a folder are taken in the order in which they happen to be listed"
    pinned = (
        "Listings come sorted by name: `os.listdir`, `os.scandir`, `os.walk`, `glob`, `pathlib` "
        "and `tf.io.gfile`. Those that Python's own machinery asks for stay as they are."
    )
    varied = "Listings come in the reverse of the order that they have."
    noticed = (
        "By every listing of two or more files. Whether the script sorts them can't be seen. "
        "Keras, scikit-learn and torchvision sort what they list."
    )
    stress = "dormant"
    due = (ALWAYS,)
    advice = (
        "Sort every listing before it is used: `sorted(os.listdir(folder))`, "
        "`sorted(glob.glob(pattern))`, `sorted(path.iterdir())`."
    )
    references = (
        ("Python: os.listdir", "https://docs.python.org/3/library/os.html#os.listdir"),
        (
            "Reproducible Builds: stable order of inputs",
            "https://reproducible-builds.org/docs/stable-inputs/",
        ),
        ("readdir(3)", "https://man7.org/linux/man-pages/man3/readdir.3.html"),
        (
            "Neupane et al. 2019: results that depended on the order of files",
            "https://doi.org/10.1021/acs.orglett.9b03216",
        ),
    )
    edits = (
        ("os.listdir", "sorted(os.listdir(folder))"),
        ("os.scandir", "sorted(os.scandir(folder), key=lambda entry: entry.name)"),
        ("os.walk", "dirs.sort(); files.sort()  # first of all in a loop over os.walk(folder)"),
        ("os.fwalk", "dirs.sort(); files.sort()  # first of all in a loop over os.fwalk(folder)"),
        ("glob.", "sorted(glob.glob(pattern))"),
        ("Path.iterdir", "sorted(path.iterdir())"),
        ("Path.walk", "dirs.sort(); files.sort()  # first of all in a loop over path.walk()"),
        ("Path.", "sorted(path.glob(pattern))"),
        ("tf.io.gfile.listdir", "sorted(tf.io.gfile.listdir(folder))"),
        ("tf.io.gfile.glob", "sorted(tf.io.gfile.glob(pattern))"),
        ("tf.io.gfile.walk", "dirs.sort(); files.sort()  # first of all in a loop over it"),
    )
    rewrites = (
        ("os.listdir", "listdir", "sorted({call})", ""),
        ("os.scandir", "scandir", "sorted({call}, key=lambda entry: entry.name)", ""),
        ("os.walk", "walk", WALKED, ""),
        ("glob.", "{last}", "sorted({call})", ""),
        ("Path.iterdir", "iterdir", "sorted({call})", ""),
        ("Path.walk", "walk", WALKED, ""),
        ("Path.", "{last}", "sorted({call})", ""),
        ("tf.io.gfile.listdir", "listdir", "sorted({call})", ""),
        ("tf.io.gfile.glob", "glob", "sorted({call})", ""),
        ("tf.io.gfile.walk", "walk", WALKED, ""),
    )

    def install(self, session, arm):
        listdir = replace_in_os("listdir", self.listing(session, arm))
        scandir = replace_in_os("scandir", self.scanning(session, arm))
        stood = {listdir: os.listdir, scandir: os.scandir}
        # These keep references of their own, where they were imported before us.
        session.on_import("pathlib", lambda module: kept_references(module, stood, LISTING))
        session.on_import("glob", lambda module: kept_references(module, stood, LISTING))
        session.on_import(
            "tensorflow.python.lib.io.file_io", lambda module: self.gfile(session, arm, module)
        )
        if arm == "pinned":
            self.check(session)
            session.look(lambda: self.check(session), told=True)

    noting = True

    def check(self, session):
        """List a large folder as the script would, and see that it comes sorted."""
        folder = os.path.dirname(os.__file__)
        self.noting = False
        try:
            walked = asking.as_user("next(os.walk(folder))[1:]", os=os, folder=folder)
            seen = [asking.as_user("os.listdir(folder)", os=os, folder=folder), *walked]
        finally:
            self.noting = True
        found = ["sorted" if names == sorted(names) else "not sorted" for names in seen]
        session.read_back(self.name, ["sorted"] * 3, found)

    def note(self, session, asker, kind, name):
        """A listing of two files or more was asked for by `asker`."""
        if not self.noting:
            return
        try:
            settled = (asker.f_globals.get("__name__") or "").startswith(SETTLED)
            detail = "a listing inside a library" if kind == "library" else name
            key, _ = session.sightings.key(self.name, detail, False if settled else None, asker)
            session.sightings.count(key)
        except Exception as error:
            session.failed("noting a listing", error)

    def listing(self, session, arm):
        def make(original):
            def wrapper(*args, **kwargs):
                names = original(*args, **kwargs)
                if len(names) < 2:
                    return names
                asker, kind = session.asker(sys._getframe(1), PASSING)
                if kind not in ASKING:
                    return names
                self.note(session, asker, kind, called(asker, "os.listdir"))
                return arranged(names, arm)

            return wrapper

        return make

    def scanning(self, session, arm):
        def make(original):
            def wrapper(*args, **kwargs):
                entries = original(*args, **kwargs)
                asker, kind = session.asker(sys._getframe(1), PASSING)
                if kind not in ASKING:
                    return entries
                if arm == "free":
                    # The real iterator must reach the script untouched; a second one looks ahead.
                    if several(original, *args, **kwargs):
                        self.note(session, asker, kind, called(asker, "os.scandir"))
                    return entries
                with entries:
                    found = arranged(list(entries), arm, lambda e: e.name)
                if len(found) > 1:
                    self.note(session, asker, kind, called(asker, "os.scandir"))
                return Entries(found)

            return wrapper

        return make

    def gfile(self, session, arm, module):
        def make(name):
            def making(original):
                def wrapper(*args, **kwargs):
                    found = original(*args, **kwargs)
                    if len(found) < 2:
                        return found
                    frame, through = outside_gfile(sys._getframe(1))
                    asker, kind = session.asker(frame)
                    if kind in ASKING:
                        walks = through.startswith("walk")
                        self.note(session, asker, kind, "tf.io.gfile.walk" if walks else name)
                    return arranged(found, arm)

                return wrapper

            return making

        replace(module, "list_directory_v2", make("tf.io.gfile.listdir"))
        replace(module, "get_matching_files_v2", make("tf.io.gfile.glob"))
        if arm == "pinned":
            folder = os.path.dirname(os.__file__)
            names = module.list_directory_v2(folder)
            found = "sorted" if names == sorted(names) else "not sorted"
            session.read_back(self.name, "sorted", found)


def arranged(found, arm, key=None):
    """A listing in the order of an arm. Varied, whatever is picked out of it comes in another one
    than it has: an order by name may be what it has anyway, as of files in memory, or of a few."""
    if arm == "pinned":
        return sorted(found, key=key)
    return found[::-1] if arm == "varied" else found


class Entries(object):
    """What `os.scandir` returns, in an order of ours."""

    def __init__(self, entries):
        self.entries = iter(entries)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.entries)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.entries = iter(())


def several(scandir, path=None):
    """Whether a folder holds two entries or more. An open descriptor is left alone, since reading
    from it moves it; it comes from a walk that goes through whole trees."""
    if isinstance(path, int):
        return True
    try:
        with scandir(path) as entries:
            return next(entries, None) is not None and next(entries, None) is not None
    except OSError:
        return False


def called(asker, name):
    """What stands in the line that asks: `os.walk`, `glob.glob`, `Path.iterdir`."""
    frame, last = sys._getframe(2), None
    while frame is not None and frame is not asker:
        if frame.f_globals.get("__name__") in PASSING:
            last = frame
        frame = frame.f_back
    if last is None:
        return name
    module, function = last.f_globals["__name__"], last.f_code.co_name
    if module == "os":
        return "os." + function.lstrip("_")
    if module == "glob" and not function.startswith("select"):
        # `iglob` hands a generator of another name to the loop that asks.
        return "glob.glob" if function == "glob" else "glob.iglob"
    # From Python 3.13 on `Path.glob` and `Path.rglob` both hand on a generator of `glob`.
    return "Path." + (function if function in ("iterdir", "rglob", "walk") else "glob")


def outside_gfile(frame):
    """The first frame from here up that is not in TensorFlow's module of file functions, and the
    name of the function of that module that it called, if any."""
    through = ""
    while frame is not None and frame.f_code.co_filename.replace(os.sep, "/").endswith(GFILE):
        through = frame.f_code.co_name
        frame = frame.f_back
    return frame, through


FACTOR = FileOrder()
