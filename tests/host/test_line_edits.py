"""Lines that are changed where they stand: which, how, and which are left to people."""

from __future__ import annotations

import pytest
from msgspec import structs

from nondet import record
from nondet.guest.factors import REGISTRY
from nondet.guest.factors.base import Factor
from nondet.host import line_edits
from nondet.host.line_edits import Places
from nondet.patching.patch import patch
from tests.host.places import seeding, site, taken


def test_two_calls_at_one_line_are_two_changes() -> None:
    two = line_edits.edits("file-order", [site("os.listdir"), site("glob.glob")])
    assert [(edit.call, edit.line) for edit in two] == [("listdir", 3), ("glob", 3)]
    assert {edit.template for edit in two} == {"sorted({call})"}


def test_calls_alike_at_one_line_are_one_change() -> None:
    alike = line_edits.edits("file-order", [site("os.listdir"), site("os.listdir")])
    assert len(alike) == 1
    assert len(line_edits.edits("file-order", [site("os.listdir"), site("os.listdir", 4)])) == 2


def test_a_place_has_one_change_though_several_beginnings_fit() -> None:
    pair = [
        site("Dataset.map in parallel, drawing from shared state"),
        site("Dataset.prefetch, behind what draws from shared state"),
    ]
    found = line_edits.edits("data-threads", pair)
    assert [(edit.call, edit.template) for edit in found] == [
        ("map", "-num_parallel_calls, deterministic"),
        ("prefetch", "{owner}.with_options(IN_TURN)"),
    ]


@pytest.mark.parametrize("factor", REGISTRY, ids=lambda factor: factor.name)
def test_each_change_is_asked_for_by_a_line_to_edit(factor: Factor) -> None:
    for start, *_ in factor.rewrites:
        assert any(
            told.startswith(start) or (told.endswith((" ", ".")) and start.startswith(told))
            for told, _ in factor.edits
        ), start


@pytest.mark.parametrize(
    ("factor", "detail"),
    [
        ("process-identity", "os.getpid"),
        ("process-identity", "os.getppid"),
        ("process-identity", "threading.get_native_id"),
        ("addresses", "threading.get_ident"),
    ],
)
def test_an_id_is_for_people_to_replace(factor: str, detail: str) -> None:
    (edit,) = line_edits.edits(factor, [site(detail)])
    assert edit.code.startswith("42  # ")
    assert (edit.call, edit.template, edit.top) == ("", "", "")


@pytest.mark.parametrize("factor", REGISTRY, ids=lambda factor: factor.name)
def test_no_line_to_write_draws_from_what_it_makes(factor: Factor) -> None:
    """A line that runs again would draw the same: six files of one name."""
    for _, code in factor.edits:
        assert "(42)." not in code.partition("#")[0], code


def test_what_draws_through_system_random_has_a_change() -> None:
    (edit,) = line_edits.edits("os-entropy", [site("random.SystemRandom (shuffle)")])
    assert (edit.call, edit.template) == ("SystemRandom", "random.Random(42)")


def test_a_line_is_covered_when_all_that_was_seen_there_is() -> None:
    known, unknown = site("os.listdir"), site("something else")
    assert line_edits.all_edited("file-order", Places((known,)), ())
    assert not line_edits.all_edited("file-order", Places((known, unknown)), ())
    assert not line_edits.all_edited("file-order", Places((known,), elsewhere=True), ())
    assert not line_edits.all_edited("file-order", Places(()), ())


def test_seeds_that_vary_are_each_given_a_number() -> None:
    found = line_edits.seed_edits(
        "clock", [seeding("random.seed"), seeding("np.random.seed"), seeding("random.seed", "late")]
    )
    assert [edit.code for edit in found] == ["random.seed(42)", "np.random.seed(42)"]
    assert {edit.template for edit in found} == {"=42"}


@pytest.mark.parametrize(
    ("call", "line", "after"),
    [
        ("random.seed", "random.seed(int(time()))", "random.seed(42)"),
        ("np.random.default_rng", "r = default_rng(seed=t)", "r = default_rng(seed=42)"),
        ("np.random.SeedSequence", "s = SeedSequence(t, spawn_key=(1,))",
         "s = SeedSequence(42, spawn_key=(1,))"),
        ("random.Random", "r = Random(t)", "r = Random(42)"),
        ("jax.random.key", "k = jax.random.key(t)", "k = jax.random.key(42)"),
        ("keras.utils.set_random_seed", "set_random_seed(t)", "set_random_seed(42)"),
        ("lightning.seed_everything", "seed_everything(t, workers=True)",
         "seed_everything(42, workers=True)"),
        ("stable_baselines3.PPO", "PPO('Mlp', env, seed=int(time()))", "PPO('Mlp', env, seed=42)"),
        ("lib.Trainer", "Trainer(model=m, args=a, seed=t)", "Trainer(model=m, args=a, seed=42)"),
        # No seed of theirs can be seen.
        ("lib.Trainer", "Trainer(t)", ""),
        ("lib.Trainer", "Trainer(m, args)", ""),
        ("random.seed", "random.seed(*t)", ""),
        ("random.seed, inside a library", "lib.seed(t)", ""),
    ],
)  # fmt: skip
def test_a_seed_that_varies_is_all_that_changes(call: str, line: str, after: str) -> None:
    edits = line_edits.seed_edits("clock", [seeding(call)])
    made = patch("train.py", (), edits, (), lambda file: f"\n\n{line}\n")
    assert [file.after.strip() for file in made.files] == ([after] if after else [])
    assert bool(made.left) == (not after and bool(edits[0].template))


def test_what_a_call_is_given_beside_its_seed_is_not_told_away() -> None:
    calls = ("random.seed", "lib.PPO", "random.seed, inside a library")
    found = line_edits.seed_edits("clock", [seeding(call) for call in calls])
    assert [edit.code for edit in found] == [
        "random.seed(42)",
        "lib.PPO(...)  # with 42 for its seed",
        "42  # in place of the seed that varies",
    ]


@pytest.mark.parametrize(
    ("factor", "before"),
    [
        # In the call itself.
        ("python-random", (site("random.randint", 14),)),
        # By what is made without a seed, or by no line of the user's.
        ("python-random", ()),
        # No code at the top seeds these.
        ("numpy-generator", (site("np.random.default_rng() without a seed", 12),)),
        ("jax-seed", (site("jax.random.key", 12),)),
        ("clock", (site("random.randint", 12),)),
    ],
)
def test_a_seed_that_no_line_before_draws_becomes_a_number(
    factor: str, before: tuple[record.Site, ...]
) -> None:
    given = structs.replace(seeding("random.seed"), site=site("", 14), before=before)
    (edit,) = line_edits.seed_edits(factor, [given])
    assert (edit.line, edit.code) == (14, "random.seed(42)")


@pytest.mark.parametrize(
    ("factor", "sites", "elsewhere"),
    [
        # Which of two lines the seed is taken from can't be seen; the other one may name a run.
        ("os-entropy", (taken("secrets.randbelow", 3), taken("uuid.uuid4", 7)), False),
        ("os-entropy", (taken("secrets.randbelow", 3),), True),
        # In the call itself.
        ("os-entropy", (taken("secrets.randbelow", 4),), False),
        # What names the folder of a run must be another in each.
        ("os-entropy", (taken("uuid.uuid4", 3, "folder = f'runs/{uuid4()}'"),), False),
        # Made at another line.
        (
            "os-entropy",
            (taken("random.SystemRandom (randrange)", 3, "seed = r.randrange(9)"),),
            False,
        ),
        # What is read again may end a loop, and these are no numbers.
        ("clock", (structs.replace(taken("time.time", 3), count=2),), False),
        ("clock", (taken("datetime.datetime.now", 3),), False),
        ("process-identity", (taken("os.getpid", 3),), False),
    ],
)
def test_else_the_seeds_themselves_become_numbers(
    factor: str, sites: tuple[record.Site, ...], elsewhere: bool
) -> None:
    given = structs.replace(seeding("random.seed"), site=site("", 4))
    (edit,) = line_edits.in_place(factor, Places(sites, elsewhere, (given,)))
    assert (edit.line, edit.code) == (4, "random.seed(42)")
