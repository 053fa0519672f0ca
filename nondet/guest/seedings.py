"""Which seeds the script gives, where, and what had been drawn before."""

import hashlib


class Seedings(object):
    """Counts the seeds given at each call site; the first of each is an event.

    The host compares them between trials: a seed that is another in every run comes from the clock,
    a process id or the like. What was drawn unseeded before the first seed tells that it is late.
    """

    def __init__(self, emit, sightings):
        self.emit = emit
        self.sightings = sightings
        self.found = {}

    def seeded(self, factor, call, value, frame):
        """Note a seed for a generator of `factor`, given by the caller of `frame`'s function."""
        site = self.sightings.place(frame)[0]
        if site is None:
            return
        key = (factor, call, site)
        state = self.found.get(key)
        first = state is None
        if first:
            state = self.found[key] = [0, hashlib.sha256(), self.drawn_before(factor)]
        state[0] += 1
        state[1].update(("%r;" % (value,)).encode("utf-8", "backslashreplace"))
        if first:
            self.emit("seeded", **self.row(key, state))

    def drawn_before(self, factor):
        """Details and sites of this factor's unseeded draws so far, those with a line first."""
        rows = [k for k in self.sightings.counts if k[0] == factor and k[2] is True]
        rows.sort(key=lambda k: k[4] is None)
        return [
            {"detail": k[1], "consumer": k[3], "site": self.sightings.site(k[4])} for k in rows[:3]
        ]

    def row(self, key, state):
        factor, call, site = key
        return {
            "factor": factor,
            "call": call,
            "site": self.sightings.site(site),
            "count": state[0],
            "digest": state[1].hexdigest()[:16],
            "before": state[2],
        }

    def summary(self):
        return [self.row(key, state) for key, state in self.found.items()]
