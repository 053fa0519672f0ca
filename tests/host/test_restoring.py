"""What of an earlier session is used again, and what has lost something since."""

from __future__ import annotations

from pathlib import Path

import pytest

from nondet.host import trials
from tests.host.written import Written


def saved(folder: Path) -> Path:
    """The folder of a trial that has run to its end, with a log of steps."""
    one = Written(folder).model().train(range(1, 4))
    one.heard("completed").save()
    return one.trial.folder


def test_what_has_ended_is_used_again(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    trial = trials.restore(folder)
    assert trial is not None
    assert trial.whole
    assert len(trial.checkpoints) == 2


@pytest.mark.parametrize("cut", [1, 40, None])
@pytest.mark.parametrize("name", ["events.jsonl", "steps-0.bin", "rows-0.bin"])
def test_what_has_lost_its_end_since_is_no_trial(
    tmp_path: Path, name: str, cut: int | None
) -> None:
    """As after a loss of power: a name was written down, and not all that it stands for."""
    folder = saved(tmp_path)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-cut] if cut else b"")
    assert trials.restore(folder) is None
    (folder / name).unlink()
    assert trials.restore(folder) is None


def test_what_never_began_has_not_ended(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / "trial.json").write_text(
        (folder / "trial.json").read_text().replace('"plan":"h"', '"plan":"other"')
    )
    assert trials.restore(folder) is None


def test_those_of_earlier_versions_say_nothing_of_sizes(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    text = (folder / "trial.json").read_text()
    (folder / "trial.json").write_text(text.replace('"bytes":', '"other":'))
    assert trials.restore(folder) is not None


def test_those_of_earlier_versions_say_nothing_of_being_asked_again(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    text = (folder / "trial.json").read_text()
    assert '"alone_again":false' in text
    (folder / "trial.json").write_text(text.replace(',"alone_again":false', ""))
    trial = trials.restore(folder)
    assert trial is not None
    assert not trial.alone_again


def test_a_link_to_nothing_is_written_down_as_it_is(tmp_path: Path) -> None:
    """The script may have put it there."""
    one = Written(tmp_path)
    one.heard("completed")
    (one.trial.folder / "events.jsonl").unlink()
    (one.trial.folder / "events.jsonl").symlink_to("nowhere")
    one.trial.save()
    assert trials.restore(one.trial.folder) is None
