"""The record: JSON and back, its names, and what it says of files that it can't read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nondet import record
from tests.report import parts, samples

# `hostile` holds what a record never does: spreads that are no finite numbers.
SOUND = [name for name in samples.ALL if name != "hostile"]

# What scripts and other tools rely on. Names are added here and never taken away.
CONTRACT: dict[str, set[str]] = {
    "Diagnosis": {
        "schema", "nondet", "subject", "environment", "verdict", "causes", "alternatives",
        "sensitivities", "cleared", "not_tested", "first_divergence", "prescription", "confidence",
        "trials", "cost", "error",
    },
    "Subject": {"script", "args", "python", "sha256"},
    "Environment": {"python", "platform", "cpu", "cores", "gpus", "driver", "packages"},
    "Cause": {
        "factor", "consumers", "sites", "first_divergence", "pin", "trials", "advice", "spread",
    },
    "Site": {"file", "line", "function"},
    "Spread": {"sd", "min", "max"},
    "Sensitivity": {"factor"},
    "Cleared": {"factor", "why", "trials"},
    "NotTested": {"factor", "why"},
    "Divergence": {
        "checkpoint", "model", "epoch", "step", "tensor", "kind", "max_abs", "max_rel", "max_ulp",
    },
    "Prescription": {"patch", "snippet", "pins", "verified_trials", "verified"},
    "Confidence": {"agreeing_trials", "divergence_probability_bound", "level"},
    "Trial": {"id", "plan", "outcome", "seconds", "checkpoints"},
    "Cost": {"trials", "subject_seconds", "wall_seconds", "single_run_seconds"},
    "Failure": {"slug", "message", "traceback"},
}  # fmt: skip
WORDS: dict[tuple[str, str], set[str]] = {
    ("Diagnosis", "verdict"): {"reproducible", "causes-found", "unresolved", "unsure", "broken"},
    ("Cause", "pin"): {"faithful", "ablating"},
    ("Cleared", "why"): {"not-exercised", "released-without-effect"},
    ("Divergence", "checkpoint"): {"init", "batch", "step", "epoch", "user"},
    ("Divergence", "kind"): {
        "initial-weights", "batch", "forward", "loss", "gradient", "update", "weights", "value",
    },
    ("Trial", "outcome"): {"completed", "stopped-early", "crashed", "timed-out", "killed"},
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_round_trip(name: str) -> None:
    diagnosis = samples.ALL[name]()
    assert record.decode(record.encode(diagnosis)) == diagnosis


def test_encoding_is_indented_utf_8_json_with_a_last_line_end() -> None:
    data = record.encode(samples.one_cause())
    assert data.startswith(b'{\n  "schema": 1,\n')
    assert data.endswith(b"}\n")
    json.loads(data.decode("utf-8"), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_distances_without_a_number_are_null() -> None:
    parted = msgspec.structs.replace(
        parts.START, max_abs=float("inf"), max_rel=float("nan"), max_ulp=None
    )
    read = record.decode(record.encode(samples.one_cause(first_divergence=parted)))
    assert read.first_divergence is not None
    assert read.first_divergence.max_abs is None
    assert read.first_divergence.max_rel is None


def test_text_that_is_no_unicode_is_written_as_escapes() -> None:
    """A script's name or an argument is bytes to the system, in whatever encoding."""
    subject = record.Subject(script="caf\udce9.py", args=("--name", "\udc80"))
    read = record.decode(record.encode(samples.one_cause(subject=subject)))
    assert read.subject.script == "caf\\udce9.py"
    assert read.subject.args == ("--name", "\\udc80")


@pytest.mark.parametrize("kind", CONTRACT)
def test_contract_names_are_there(kind: str) -> None:
    names = {field.encode_name for field in msgspec.structs.fields(getattr(record, kind))}
    assert CONTRACT[kind] <= names


@pytest.mark.parametrize(("kind", "field"), WORDS)
def test_contract_words_are_there(kind: str, field: str) -> None:
    schema = msgspec.json.schema(getattr(record, kind))
    values = set(schema["$defs"][kind]["properties"][field]["enum"])
    assert WORDS[(kind, field)] <= values


def test_exit_codes_are_those_promised() -> None:
    assert record.EXIT_CODES == {
        "reproducible": 0,
        "causes-found": 1,
        "unresolved": 3,
        "unsure": 4,
        "broken": 5,
    }


def test_every_field_is_written_even_at_its_default() -> None:
    """Readers in other languages need not know our defaults."""
    written: dict[str, Any] = json.loads(record.encode(samples.reproducible()))
    assert written.keys() == {f.encode_name for f in msgspec.structs.fields(record.Diagnosis)}
    assert CONTRACT["Trial"] <= written["trials"][0].keys()


def test_records_are_frozen() -> None:
    with pytest.raises(AttributeError):
        samples.one_cause().verdict = "reproducible"  # type: ignore[misc]


# -- files of other versions, and no records at all


def changed(**fields: Any) -> bytes:
    known: dict[str, Any] = json.loads(record.encode(samples.one_cause()))
    return json.dumps(known | fields).encode()


def test_newer_schema_says_what_to_do() -> None:
    with pytest.raises(record.RecordError, match=r"schema 2 is newer than the 1 .* upgrade"):
        record.decode(changed(schema=record.SCHEMA + 1))


def test_newer_schema_is_named_even_where_its_fields_are_unknown() -> None:
    with pytest.raises(record.RecordError, match="schema 7 is newer"):
        record.decode(b'{"schema": 7, "result": "yes"}')


def test_unknown_fields_are_let_pass() -> None:
    assert record.decode(changed(colour="red")) == samples.one_cause()
    trials = json.loads(record.encode(samples.one_cause()))["trials"]
    more = [trial | {"energy": 3} for trial in trials]
    assert record.decode(changed(trials=more)) == samples.one_cause()


def test_missing_additive_fields_get_their_defaults() -> None:
    """A record of an older nondet of the same schema."""
    known: dict[str, Any] = json.loads(record.encode(samples.one_cause()))
    for name in known.keys() - CONTRACT["Diagnosis"]:
        del known[name]
    read = record.decode(json.dumps(known).encode())
    assert read.causes == samples.one_cause().causes
    assert read.questions == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "expected an object with an integer `schema`"),
        (b"{}", "expected an object with an integer `schema`"),
        (b'{"schema": true}', "expected an object with an integer `schema`"),
        (b'{"schema": "1"}', "expected an object with an integer `schema`"),
        (b'{"schema": 1}', "not a diagnosis of schema 1: .*required field"),
        (changed(verdict="guilty"), r"not a diagnosis of schema 1: .*verdict"),
        (changed(trials=[{"id": 1}]), r"not a diagnosis of schema 1: .*trials\[0\]\.id"),
    ],
)
def test_what_is_no_record_is_refused_with_the_place(data: bytes, message: str) -> None:
    with pytest.raises(record.RecordError, match=message):
        record.decode(data)


@given(st.binary(max_size=200))
def test_garbage_raises_record_errors_only(data: bytes) -> None:
    with pytest.raises(record.RecordError):
        record.decode(data)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
FIELDS = st.sampled_from([field.encode_name for field in msgspec.structs.fields(record.Diagnosis)])


@given(st.dictionaries(FIELDS, ANYTHING, min_size=1, max_size=4))
def test_damaged_records_raise_record_errors_only(fields: dict[str, Any]) -> None:
    try:
        record.decode(changed(**fields))
    except record.RecordError:
        return


@given(st.integers(min_value=0))
def test_cut_records_raise_record_errors(size: int) -> None:
    data = record.encode(samples.reproducible())
    with pytest.raises(record.RecordError):
        record.decode(data[: size % (len(data) - 2)])
