"""Errors that end a diagnosis with one clear line."""

from __future__ import annotations


class UsageError(Exception):
    """The request can't be carried out as given: exit code 2.

    `slug` names the entry of docs/messages.md with cause and cure.
    """

    def __init__(self, slug: str, message: str) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message


class BrokenSubject(Exception):
    """The subject itself can't be diagnosed: exit code 5, with a record that says why."""

    def __init__(self, slug: str, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.traceback = traceback
