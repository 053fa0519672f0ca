"""The log of a model's training steps: a digest of every weight tensor, step by step.

Two files a model. ``steps-<index>.bin``: HEADER, then one RECORD a step, which two readers compare
without the tensors. ``rows-<index>.bin``: for some steps the first bytes of each tensor's digest,
which tell the tensors that differ.
"""

from __future__ import annotations

import collections
import struct

from .events import Appended
from .kept import hashlib, os

DENSE_STEPS = 32
VERSION = 1
RECORD = struct.Struct("<Q8s16sQII")
"""Step; root; chain; 1 + offset of the row, 0 without one; layout; number of tensors."""
HEADER = struct.Struct("<8sHHI")
"""Magic; version; method of the digests, of which two can't be compared; size of a record."""
ON_HOST, ON_DEVICE = 0, 1
ROOT_BYTES = 8
CHAIN_BYTES = 16
DIGEST_BYTES = 8
"""Of each tensor's digest, what a row keeps."""
ROWS_LIMIT = 64 << 20


def worth_recording(step):
    """Steps kept when not all can be: all up to 64, then 32 for each doubling.

    A function of the step alone, so that two trials keep the same ones.
    """
    if step <= DENSE_STEPS:
        return True
    return step % (1 << (step.bit_length() - DENSE_STEPS.bit_length())) == 0


def fingerprint(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=CHAIN_BYTES).digest()


def log_files(folder: str, index: int) -> tuple[str, ...]:
    """Where the log of a model lies: the steps, and the rows."""
    return tuple(os.path.join(folder, name % index) for name in ("steps-%d.bin", "rows-%d.bin"))


class StepLog(object):
    """Writes the log of one model; what another process left in these files goes.

    `index` is the model's place in the order of first training. Rows are kept for every step until
    they take half of `rows_limit` bytes, from there on for those worth recording, and never beyond
    the limit. Only the process `pid` writes, None stands for this one: where a forked child may be
    the one that makes the log, hand in the trial's. Not for two threads at once.
    """

    def __init__(
        self, folder: str, index: int, rows_limit: int = ROWS_LIMIT, pid: int | None = None
    ) -> None:
        records, rows = log_files(folder, index)
        self.records = Appended(records, fresh=True, pid=pid)
        self.rows = Appended(rows, fresh=True, pid=pid)
        self.rows_limit = rows_limit
        self.rows_bytes = 0
        self.method = ON_HOST
        self.step = 0
        self.chain = b""

    def append(self, step: int, layout: int, digests: list[bytes]) -> None:
        """Log the tensors' digests after `step`: bytes, 8 or more each, in the layout's order.

        `layout` is the number of the "layout" event that names the tensors. Steps count from 1;
        raises ValueError for one that is not after the last.
        """
        if step <= self.step:
            raise ValueError("step %r after step %r: expected a later one" % (step, self.step))
        # Without the layout: in which order layouts are numbered may depend on what was logged.
        root = fingerprint(b"".join([struct.pack("<I", len(digests))] + digests))
        chain = fingerprint((self.chain or bytes(CHAIN_BYTES)) + struct.pack("<Q", step) + root)
        row = self._append_row(step, digests)
        record = RECORD.pack(step, root[:ROOT_BYTES], chain, row, layout, len(digests))
        self.records.write(record if self.chain else self._header() + record)
        self.step, self.chain = step, chain

    def _header(self) -> bytes:
        return HEADER.pack(b"nd-steps", VERSION, self.method, RECORD.size)

    def _append_row(self, step: int, digests: list[bytes]) -> int:
        """1 + the offset of the step's row, 0 when none is kept."""
        size = DIGEST_BYTES * len(digests)
        limit = self.rows_limit if worth_recording(step) else self.rows_limit // 2
        if self.rows_bytes + size > limit:
            return 0
        row = b"".join([digest[:DIGEST_BYTES] for digest in digests])
        if len(row) != size:
            raise ValueError("a digest of a tensor has under %d bytes" % DIGEST_BYTES)
        offset = self.rows.write(row)
        self.rows_bytes += size
        # None in a forked child, which writes no record either.
        return 0 if offset is None else 1 + offset

    def close(self) -> None:
        """Let go of the files; a later step opens them again."""
        self.records.close()
        self.rows.close()


class Pace(object):
    """Decides which steps of a model are recorded, so that this takes a small share of the time.

    The first steps are all recorded, 32 or, where recording is dear, 11. Of the next 24 every
    eighth one is: what a training takes without being recorded can't be seen otherwise. Where
    Python is ahead of the steps, most of what recording costs is that it waits for one. What all
    these took gives `interval`, a power of two: from then on every `interval`-th step is recorded.
    It is considered anew each time that the number of steps has doubled, and only ever grows, so
    that of two trials the one with the longer interval records steps that the other one records as
    well.

    `share` bounds the time of recording, as a part of all time. With an `interval` given, a power
    of two (1: every step), the schedule depends on no time at all.

    Times are seconds, and come from the caller: the user's clock may be a stand-in.
    """

    SHARE = 0.05
    UNMEASURED = 3
    """First steps whose times are left out: they hold tracing and compilation."""
    FEWEST = UNMEASURED + 8
    """First steps that are recorded whatever it costs."""
    DEAR_INTERVAL = 8
    """From this interval on, not even the 32 first steps are all recorded: at a share of 0.05 one
    recording then takes more than a fifth of a step."""
    LONGEST_INTERVAL = 1 << 20
    GAP = 8
    """After the dense steps, the interval of those that show what steps take unrecorded."""
    GAPS = 3
    WINDOW = 32
    """Latest measurements that a median is taken of."""

    def __init__(self, share=SHARE, interval=None):
        self.limit = share
        self.given = interval is not None
        self.interval = interval or 1
        self.dense = self.FEWEST if self.interval >= self.DEAR_INTERVAL else DENSE_STEPS
        self.count = 0
        self.step = 0
        self.began = self.now = 0.0
        self.recording = self.since = 0.0
        self.span, self.span_steps = 0.0, 0
        self.steps_took = collections.deque(maxlen=self.WINDOW)
        self.recordings_took = collections.deque(maxlen=self.WINDOW)
        # From the end of one recording to that of the next, as (steps, seconds): those of a call
        # each, and those of several.
        self.close = collections.deque(maxlen=self.WINDOW)
        self.wide = collections.deque(maxlen=self.WINDOW)
        self.last_recorded = None
        self.recordings = 0

    def due(self, step):
        """Whether `step` is to be recorded if it is the next one, as far as is known before it.

        Also where that is about to be considered anew, which can only spare it.
        """
        return self._passes(self.step, step, self.count + 1)

    def _passes(self, before, step, count):
        """Whether a call that ends with `step`, the one of that number, is to be recorded."""
        interval = self.interval
        if not self.given and count <= self.dense + self.GAP * self.GAPS:
            # Of calls of several steps, too, every eighth one or so.
            interval = max(interval, self.GAP << (step - before - 1).bit_length())
        return count <= self.dense or step // interval > before // interval

    def stepped(self, step, now):
        """Take in that `step` has ended at the time `now`; whether to record it.

        Steps grow, not always by one: a call of several at once counts as one, and is recorded when
        it has passed a multiple of the interval.
        """
        due = self.due(step)
        before, self.step = self.step, step
        self.count += 1
        if self.count == 1:
            self.began = now
        elif self.count > self.UNMEASURED:
            self.span += now - self.now - self.since
            self.span_steps += step - before
            if due:
                # The mean since the last one: where Python does not wait for its steps, only
                # those that are recorded end when they seem to.
                self.steps_took.append(self.span / self.span_steps)
                self.span, self.span_steps = 0.0, 0
        self.now, self.since = now, 0.0
        if not self.given:
            self._consider()
        return self._passes(before, step, self.count)

    def recorded(self, seconds, now):
        """Take in what it took to record the latest step, without the wait for its result, and that
        this ended at the time `now`."""
        self.since += seconds
        self.recording += seconds
        self.recordings += 1
        if self.count > self.UNMEASURED:
            self.recordings_took.append(seconds)
            if self.last_recorded is not None:
                step, then = self.last_recorded
                stretch = self.step - step, now - then
                if self.count <= self.dense:
                    self.close.append(stretch)
                elif self.close and stretch[0] >= self.GAP // 2 * self.close[-1][0]:
                    self.wide.append(stretch)
            self.last_recorded = self.step, now

    @property
    def share(self):
        """The part of all time so far, from the end of the first step, that recording took."""
        elapsed = self.now - self.began + self.since
        if elapsed <= 0:
            return 0.0
        _, cost = self._costs()
        return min(1.0, max(self.recording, cost * self.recordings) / elapsed)

    def _costs(self):
        """Seconds of a step and of a recording, as far as is known.

        A recording takes at least as long as is seen from within. From without, a stretch of n
        steps with one recording takes n steps and a recording: two kinds of stretches give both.
        """
        step = median(self.steps_took) if self.steps_took else 0.0
        recording = median(self.recordings_took) if self.recordings_took else 0.0
        if self.close and self.wide:
            near, far = middle(self.close), middle(self.wide)
            if far[0] > near[0]:
                apart = (far[1] - near[1]) / (far[0] - near[0])
                if 0.0 < apart < near[1] / near[0]:
                    step, recording = apart, max(recording, near[1] - near[0] * apart)
        return step, recording

    def _consider(self):
        doubled = self.count & (self.count - 1) == 0
        moments = self.FEWEST + 1, DENSE_STEPS + 1, self.dense + self.GAP * self.GAPS + 1
        if not doubled and self.count not in moments:
            return
        interval = self._affordable()
        if self.count == self.FEWEST + 1 and interval >= self.DEAR_INTERVAL:
            self.dense = self.FEWEST
        if self.count > self.dense:
            self.interval = interval

    def _affordable(self):
        """The shortest interval, from the present one on, that keeps to the limit."""
        interval = self.interval
        if not self.steps_took or not self.recordings_took:
            return interval
        step, recording = self._costs()
        while (
            recording > self.limit * (interval * step + recording)
            and interval < self.LONGEST_INTERVAL
        ):
            interval *= 2
        return interval


def middle(stretches):
    """(steps, seconds) of the middle one by seconds a step."""
    return sorted(stretches, key=lambda stretch: stretch[1] / max(1, stretch[0]))[
        len(stretches) // 2
    ]


def median(numbers):
    """The middle one, the upper of two. (`statistics` would import `random` into the subject.)"""
    return sorted(numbers)[len(numbers) // 2]
