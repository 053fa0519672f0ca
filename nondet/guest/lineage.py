"""Which forked child of the trial this process is: what stands in for chance differs in each."""

import os


class Lineage(object):
    """`place` is () in the trial's own process, (2,) in the second child that it forks."""

    def __init__(self):
        self.place = ()
        self.children = 0
        self.listening = False

    def listen(self):
        """From here on, count the forks. Threads that fork at once take turns by chance."""
        if not self.listening and hasattr(os, "register_at_fork"):
            self.listening = True
            os.register_at_fork(before=self.forking, after_in_child=self.forked)

    def forking(self):
        self.children += 1

    def forked(self):
        self.place += (self.children,)
        self.children = 0


LINEAGE = Lineage()
