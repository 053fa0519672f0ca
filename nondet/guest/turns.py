"""Threads that draw from one generator by turns: which comes first is left to chance."""

import sys

from .kept import threading


class Turns(object):
    """Watches the threads that draw. Told once, at the line where one of them drew first.

    It is no more than a sign: threads may wait for one another.
    """

    def __init__(self, session, generator):
        """`generator`: how a sentence about it begins."""
        self.session = session
        self.detail = (
            "%s is drawn from in several threads: which comes first may be another in every run"
            % generator
        )
        self.main = threading.main_thread().ident
        self.first = threading.local()
        """The user's line of this thread's first draw, or None. Not by the thread's id, which a
        later one may have again."""
        self.last = None, None
        """The id of the thread that drew last, and its first line."""
        self.told = False

    def drew(self):
        """A line below this call draws."""
        thread = threading.get_ident()
        if thread != self.last[0] and not self.told:
            self.session.attempt("noting a thread", lambda: self.turned(thread))

    def turned(self, thread):
        before = self.last
        again = hasattr(self.first, "site")
        if not again:
            self.first.site = self.session.sightings.place(sys._getframe(1))[0]
        self.last = thread, self.first.site
        # Not `threading.enumerate`, which takes a lock.
        if again and before[0] in threading._active:
            # It has drawn, another one has, and it draws again while that one is there.
            sites = sorted(site for each, site in (before, self.last) if site and each != self.main)
            if sites:
                self.told = True
                self.session.unexplained_at(self.detail, sites[0])
