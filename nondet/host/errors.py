"""Errors that end a diagnosis with one clear line."""

from __future__ import annotations

import errno

SHORTAGES = {
    errno.ENOSPC: ("disk-full", "no space left on the disk: free some"),
    errno.EDQUOT: ("disk-full", "no space left on the disk: free some"),
    errno.EMFILE: ("too-many-files", "no more files can be opened: allow more (ulimit -n)"),
    errno.ENFILE: ("too-many-files", "no more files can be opened: allow more (ulimit -n)"),
}
"""What a machine can run out of: slug, and what to do before going on with ``--resume``."""


class UsageError(Exception):
    """The request can't be carried out as given: exit code 2.

    `slug` names the entry of docs/messages.md with cause and cure.
    """

    def __init__(self, slug: str, message: str) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message


def failure(error: OSError | UsageError) -> tuple[str, str]:
    """Slug and words of what has ended a diagnosis. An OSError must be one of `SHORTAGES`."""
    if isinstance(error, OSError):
        return SHORTAGES[error.errno or 0]
    return error.slug, error.message


class BrokenSubject(Exception):
    """The subject itself can't be diagnosed: exit code 5, with a record that says why."""

    def __init__(self, slug: str, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.traceback = traceback
