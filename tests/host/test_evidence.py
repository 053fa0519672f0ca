"""What sightings of trials tell of a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from nondet.host import evidence
from nondet.host.events import Place, Sighting
from nondet.host.trials import Trial

OWN = Sighting("python-random", "random.shuffle", True, None, Place("train.py", 10, "f"), 3)
MADE = "random.Random() without a seed, while sympy is imported"
LEAD = Sighting("python-random", MADE, None, None, Place("train.py", 6, "f"), 1)
NOWHERE = Sighting("python-random", "random.random", True, None, None, 1)


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ((LEAD, OWN), [OWN]),
        ((LEAD,), [LEAD]),
        ((LEAD, NOWHERE), [NOWHERE, LEAD]),
    ],
)
def test_what_an_import_makes_is_told_where_no_line_of_the_users_draws(
    seen: tuple[Sighting, ...], told: list[Sighting]
) -> None:
    trial = Trial("t01", {}, "h", "?", Path())
    trial.sightings = {(one.detail, one.site): one for one in seen}
    assert evidence.sightings_of("python-random", [trial]) == told


def test_the_order_of_a_set_is_told_before_the_value_of_a_hash() -> None:
    """Which is often no more than the name of a file."""
    named, walked, other = (
        Sighting("hash-seed", detail, None, None, Place("tokenizer.py", line, "fit"), 1)
        for line, detail in ((15, "hash()"), (23, "iterates over a set"), (31, "unpacks a set"))
    )
    trial = Trial("t01", {}, "h", "?", Path())
    trial.sightings = {(one.detail, one.site): one for one in (named, walked, other)}
    assert evidence.sightings_of("hash-seed", [trial]) == [walked, other, named]
