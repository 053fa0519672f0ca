"""Generators that are made without a seed: whose they are, and the stream that pins each."""

import os

CLAIMED = {"albumentations", "faker", "imgaug", "mimesis"}
"""Packages whose generators are third-party-rng's; plugins add theirs."""
THIRD = "third-party-rng"
IMPORTING = ", while importing"
"""How details end of what libraries do on their way in."""

HARMLESS = {
    # Temporary names, which process-identity tells of.
    "tempfile": "",
    # What `tf.random.set_seed(None)` makes: drawn from only where there is a seed.
    "tensorflow.python.eager.context": "",
    # The plots in the documentation of SciPy's distributions, written while they are imported.
    "scipy.stats._distribution_infrastructure": "importing",
    # For guesses that are checked exactly afterwards: the result is the same whatever is drawn.
    "sympy.core.random": "importing",
    # The default value of an argument that gradient boosting always passes.
    "sklearn.ensemble._hist_gradient_boosting.grower": "importing",
}
"""Modules whose unseeded generators reach no result, or not as such: always, or those made while
importing."""
HOLDING = {"tempfile": "process-identity"}
"""Modules whose generators another factor holds. Held by that of Python's `random`, temporary names
would be no cause, and yet no seed of the script's reaches them."""


class Made(object):
    """One generator made without a seed, by the code of `frame`; `detail` says so."""

    def __init__(self, session, factor, detail, frame):
        self.session = session
        self.frame = frame
        self.module = str(frame.f_globals.get("__name__", ""))
        self.package = package(frame)
        self.claimed = self.package in CLAIMED
        self.factor = THIRD if self.claimed else factor
        self.detail = detail
        self.sighting, _ = session.sightings.key(self.factor, detail, True, frame)
        self.site = self.sighting[4]
        self.importing = self.sighting[1].endswith(IMPORTING)

    def number(self, bits):
        """The next number of this place's own stream, so that places don't shift one another; None
        where the factor is free.

        Places are named by the user's line; by the library's where an import makes it, since any
        line may be the first to import.
        """
        arm = self.session.arms.get(HOLDING.get(self.module, self.factor), "free")
        if arm not in ("pinned", "varied"):
            return None
        if self.site is None or self.importing:
            place = (self.module, self.frame.f_lineno)
        else:
            place = (self.relative(self.site[0]),) + self.site[1:]
        trial = "" if arm == "pinned" else self.session.plan["trial"]
        return self.session.number("made/%s/%s/%s" % (self.factor, place, trial), bits)

    def relative(self, path):
        """The same in every trial, wherever the trial's copy of the folder lies."""
        for folder in self.session.plan["folders"]:
            if path.startswith(os.path.join(folder, "")):
                return path[len(folder) :]
        return path

    def key(self):
        """What identifies the sighting; None where there is nothing to tell."""
        when = HARMLESS.get(self.module)
        harmless = when == "" or (when == "importing" and self.importing)
        if harmless or (self.claimed and self.importing):
            return None
        if self.importing:
            # It may be drawn from later on, which can't be seen: a lead.
            detail = "%s, while %s is imported" % (self.detail, self.package)
            return (self.factor, detail, None) + self.sighting[3:]
        return self.sighting


def package(frame):
    """The package whose code runs in a frame."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def plain(value):
    """A seed as it stands in a digest: the same in two runs if the seed is.

    Objects are told apart by their kind alone: their text may hold an address.
    """
    if isinstance(value, (int, float, str, bytes, bytearray, complex, type(None))):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return type(value).__name__
