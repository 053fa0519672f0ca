"""Files that a former run left in the working folder."""

from .base import Factor


class Leftovers(Factor):
    name = "leftovers"
    group = "order"
    title = "Files left by the former run"
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
    noticed = "By the files that a trial wrote into its folder."
    acts = "host"
    advice = (
        "Start from an empty folder, or delete the former run's files at the start, "
        "or write to a new folder in each run."
    )

    # Pinned: a fresh working folder for each trial, as the host found it. Free: the folder as the
    # trial before left it. The host makes the folder, and tells whether the subject wrote there.


FACTOR = Leftovers()
