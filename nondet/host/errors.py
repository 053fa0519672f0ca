"""Errors that end a diagnosis with one clear line."""

from __future__ import annotations

import errno

DISK = (errno.ENOSPC, errno.EDQUOT)
FILES = (errno.EMFILE, errno.ENFILE)
SHORTAGES = DISK + FILES
"""Numbers of the errors by which a machine tells that it has run out of something."""


class UsageError(Exception):
    """The request can't be carried out as given: exit code 2.

    `slug` names the entry of docs/messages.md with cause and cure.
    """

    def __init__(self, slug: str, message: str) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message


RESUME = "go on with --resume"


def failure(error: OSError | UsageError, then: str = RESUME) -> UsageError:
    """What has ended a command, with what to do, and `then`. An OSError must be one of
    `SHORTAGES`."""
    if isinstance(error, UsageError):
        return error
    if error.errno in FILES:
        return UsageError(
            "too-many-files",
            f"no more files can be opened: allow more (ulimit -n), then {then}",
        )
    return UsageError("disk-full", f"no space left on the disk: free some, then {then}")


class BrokenSubject(Exception):
    """The subject itself can't be diagnosed: exit code 5, with a record that says why."""

    def __init__(self, slug: str, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.traceback = traceback
