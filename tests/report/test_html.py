"""The HTML report as text: what it says, what it escapes, and that it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest
from markupsafe import Markup
from msgspec import structs

from nondet.record import Diagnosis, Kernel, Seeding, Stress, VerdictWord
from nondet.report import html
from nondet.report.page import words
from tests.report import samples

LOADING = {"src", "href", "srcset", "action", "formaction", "data", "poster", "background", "cite"}


class Page(HTMLParser):
    """A page's elements, its text, and its text by data-testid, as a browser would read them."""

    void = frozenset(("meta", "link", "img", "input", "br"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.texts: dict[str, str] = {}
        self.open: list[tuple[str, str]] = []
        self.feed(text)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.elements.append((tag, known))
        if tag == "script":
            self.scripts.append("")
        if tag not in self.void:
            self.open.append((tag, known.get("data-testid", "")))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] == "script":
            self.scripts[-1] += data
        for _, name in self.open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data

    def said(self, name: str) -> str:
        return " ".join(self.texts[name].split())


def page(diagnosis: Diagnosis) -> Page:
    return Page(html.render(diagnosis))


def policy(read: Page) -> dict[str, list[str]]:
    content = next(
        known["content"]
        for tag, known in read.elements
        if tag == "meta" and known.get("http-equiv") == "Content-Security-Policy"
    )
    return {words[0]: words[1:] for words in (part.split() for part in content.split(";"))}


@pytest.mark.parametrize("name", samples.ALL)
def test_every_sample_is_a_whole_page(name: str) -> None:
    read = page(samples.ALL[name]())
    assert read.said("verdict")
    ids = [known["id"] for _, known in read.elements if "id" in known]
    assert len(ids) == len(set(ids))
    links = {known["href"][1:] for tag, known in read.elements if tag == "a"}
    assert links <= set(ids)
    labelled = {k["aria-labelledby"] for _, k in read.elements if "aria-labelledby" in k}
    assert labelled <= set(ids)


@pytest.mark.parametrize("name", samples.ALL)
def test_nothing_is_loaded_and_only_our_script_acts(name: str) -> None:
    text = html.render(samples.ALL[name]())
    read = Page(text)
    for _, known in read.elements:
        for attribute in LOADING & known.keys():
            assert known[attribute].startswith(("#", "data:")), known
        assert "style" not in known
        assert not [attribute for attribute in known if attribute.startswith("on")]
    rules = policy(read)
    assert rules["default-src"] == ["'none'"]
    assert rules["img-src"] == ["data:"]
    assert len(read.scripts) == 2
    digest = base64.b64encode(hashlib.sha256(read.scripts[1].encode()).digest()).decode()
    assert rules["script-src"] == [f"'sha256-{digest}'"]
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digests = [hashlib.sha256(style.encode()).digest() for style in styles]
    assert rules["style-src"] == [f"'sha256-{base64.b64encode(d).decode()}'" for d in digests]
    assert not re.search(r"url\(|@import", styles[0])


def test_hostile_text_stays_text() -> None:
    text = html.render(samples.hostile())
    read = Page(text)
    assert samples.EVIL not in text
    assert [tag for tag, _ in read.elements].count("script") == 2
    assert not [tag for tag, known in read.elements if tag == "img" and known["src"] == "x"]
    assert read.said("verdict").startswith(samples.EVIL)
    assert samples.EVIL in read.said("cause-python-random")
    assert samples.EVIL in read.said("trials")
    assert "{{ 7 * 7 }}" in text


@pytest.mark.parametrize("verdict", ["causes-found", "unresolved"])
def test_hostile_text_stays_text_in_all_that_is_told(verdict: VerdictWord) -> None:
    text = html.render(structs.replace(samples.hostile(), verdict=verdict))
    read = Page(text)
    assert samples.EVIL not in text
    assert [tag for tag, _ in read.elements].count("script") == 2
    told = ("stress", "kernel", "refusals", "refusal", "suspects", "sensitivities", "not-tested")
    inside = ("zoom", "zoom-said", "zoom-how", "recording")
    for name in (*told, *inside, f"dormant-{samples.EVIL}"):
        assert samples.EVIL in read.said(name)


def test_what_differs_first_inside_a_step_is_told_and_drawn() -> None:
    read = page(samples.looked_into())
    assert read.said("zoom-said").startswith(
        "At step 17, the gradient of conv2d_3/kernel is the first thing that differs: the model's "
        "state, the batch, every layer's output, the loss and all gradients computed before it "
        "have the same bits."
    )
    said = read.said("zoom")
    for part in (
        "Inside step 17 with op-determinism free At step 17,",
        "Step 17, from batch to weights t08 and t09",
        "Looked into as the compiled graph; over the 16 steps before, weights have the same bits",
        "40gradientconv2d_3 kerneldifferfloat32 3×3×32×32Conv2D",
        "2 of 518the gradient of conv2d_2/kernelConv2D, float32, 3×3×16×32",
        "Inside steps 1 to 32 with tf32 free None of the 4 runs looked into parted",
        "so a race may not strike.Trials t08 t09 t12 t13",
    ):
        assert part in said
    assert said.count("The timeline needs scripts") == 2
    charts: dict[str, Any] = json.loads(read.scripts[0])
    places = [known["data-chart"] for _, known in read.elements if "data-chart" in known]
    assert set(places) < set(charts)
    assert len(set(places)) == len(places)


def test_the_map_of_steps_has_a_table_for_those_without_scripts() -> None:
    text = html.render(samples.looked_into())
    assert "18 tensors after 120 steps." in text
    assert '<th scope="row">conv2d_0/kernel</th><td>step 17</td><td>104 of 120</td>' in text
    assert "The map needs scripts" in text


def test_a_look_inside_alone_makes_a_section() -> None:
    found = samples.base(verdict="unsure", zooms=samples.looked_into().zooms[2:])
    read = page(found)
    assert "None of the 4 runs looked into parted in steps 1 to 32" in read.said("zoom")
    assert "parting" in {known.get("id") for _, known in read.elements}


def test_what_recording_took_stands_beside_the_cost() -> None:
    assert page(samples.looked_into()).said("recording") == (
        "Weights of sequential after every 4th step; recording took 3.1 % of the time of training; "
        "1.2 MB a run."
    )
    assert "recording" not in page(samples.one_cause()).texts


def test_hostile_names_survive_in_the_embedded_json() -> None:
    read = page(samples.hostile())
    data = read.scripts[0]
    assert not set(data) & set("<>&\u2028\u2029")
    charts: dict[str, dict[str, Any]] = json.loads(data)
    for place in ("differences-0", "steps-0"):
        assert charts[place]["tensors"][0] == f"{samples.EVIL}/kernel"
        assert charts[place]["tensors"][2] == "\\u202egnp.exe\\x00"
    assert charts["zoom-0"]["layers"][2] == "\\u202egnp.exe\\x00"
    assert samples.EVIL in charts["zoom-0"]["facts"][0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", "a\\x00b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("caf\udce9.py", "caf\\udce9.py"),
        ("tab\tand \u00fc", "tab\tand \u00fc"),
    ],
)
def test_characters_that_act_are_written_out(text: str, shown: str) -> None:
    diagnosis = samples.base(verdict="unsure", summary=f"it is {text}.", warnings=(text,))
    written = html.render(diagnosis)
    assert f"it is {shown}." in written
    written.encode("utf-8")


def test_logs_read_as_a_terminal_leaves_them() -> None:
    noisy = "\x1b[32m 1/10\x1b[0m\r 10/10 \x1b]0;title\x07done\r\nnext\n"
    broken = samples.broken()
    trial = structs.replace(broken.trials[0], stdout_tail=noisy)
    text = html.render(structs.replace(broken, trials=(trial,)))
    assert "> 10/10 done\nnext</pre>" in text
    assert "1/10\\x1b" not in text


def test_the_verdict_says_how_sure_and_what_to_do() -> None:
    read = page(samples.one_cause())
    assert "Python's random is not seeded" in read.said("verdict")
    assert read.said("confidence") == (
        "6 runs with the causes pinned agree bit for bit; 95 % sure that fewer than 46 % of runs "
        "would differ (at most 50 % was asked for)."
    )
    assert "Pins verified by 6 runs" in read.said("fix")
    assert "keras.utils.set_random_seed(20261)" in read.said("fix")
    assert "keras.layers.Dropout(0.2)," in read.said("cause-python-random")
    assert "no GPU" in read.said("not-tested")
    assert "cpu-threads" in read.said("cleared")
    assert "Intel Xeon Silver 4314, 16 cores" in read.said("environment")


def test_a_shortened_horizon_is_told() -> None:
    read = page(samples.shortened())
    assert "Runs were ended at the end of epoch 4 (fit 2, epoch 1)." in read.said("horizon")
    assert "evaluation and saving after it" in read.said("horizon")
    assert "one run up to there takes 9.3 s" in html.render(samples.shortened())
    assert "ran to the horizon" in read.said("trials")
    assert "completed" not in read.said("trials")
    assert "Metric at the horizon" in read.said("cause-python-random")
    assert "horizon" not in page(samples.three_causes()).texts


def test_a_slow_pin_is_told_with_its_trials() -> None:
    read = page(samples.shortened())
    assert read.said("slowdown") == (
        "With this pin and that of hash-seed and python-random a run takes 1.6 times as long "
        "(15 s for 9.3 s). Unless the machine was busier then, a race may be hidden by slowness "
        "alone. Trials t22 t23 t24 with it, "
        "t01 t02 without."
    )
    assert "slowdown" not in page(samples.three_causes()).texts


def test_an_unverified_fix_says_so() -> None:
    diagnosis = samples.one_cause()
    assert diagnosis.prescription is not None
    unproven = structs.replace(diagnosis.prescription, verified=False, verified_trials=())
    said = page(structs.replace(diagnosis, prescription=unproven, confidence=None)).said("fix")
    assert "Not verified" in said
    assert "Verified by" not in said


def test_several_causes_stand_in_their_order_with_a_launch_line() -> None:
    read = page(samples.three_causes())
    names = [name for name in read.texts if name.startswith("cause-")]
    assert names == ["cause-python-random", "cause-hash-seed", "cause-cpu-threads"]
    assert "PYTHONHASHSEED=0 python train.py" in read.said("fix")
    assert "switched off rather than held" in read.said("cause-cpu-threads")


def test_a_site_says_on_whose_behalf() -> None:
    said = page(samples.one_cause()).said("cause-python-random")
    assert "train.py:8 random.randint, drawn for Dense dense, made here" in said
    assert "random.randint, drawn for Dropout dropout, made here, 2 times a run" in said


def test_faulty_seeds_are_shown_with_their_lines() -> None:
    read = page(samples.late_seed())
    late = read.said("cause-numpy-global")
    assert (
        "np.random.seed at train.py:21 comes too late: np.random.normal at train.py:16 had drawn "
        "before it." in late
    )
    assert "16train += np.random.normal(0.0, 0.01, train.shape)drew before it" in late
    assert "21np.random.seed(1)the seed" in late
    assert late.count("np.random.normal(0.0") == 1, "not once more as a place"
    varies = read.said("cause-python-random")
    assert "random.seed at train.py:8 is given another seed in every run." in varies
    assert "8random.seed(int(time.time()))" in varies
    assert "drawn for Dropout dropout and Dense dense, made here, 2 times a run" in varies
    assert (
        "keras.utils.set_random_seed at train.py:22 is given in time, and seeds something else "
        "(TensorFlow's global seed)." in varies
    )
    assert "22keras.utils.set_random_seed(1)the" not in varies


def test_a_seed_in_time_is_one_quiet_line() -> None:
    diagnosis = samples.one_cause()
    site = diagnosis.causes[0].sites[0]
    seeding = Seeding(call="random.seed", site=site, fault="none", factor="python-random")
    cause = structs.replace(diagnosis.causes[0], seedings=(seeding,))
    said = page(structs.replace(diagnosis, causes=(cause,))).said("cause-python-random")
    assert "random.seed at train.py:8 is given in time: it is not what breaks the runs." in said
    assert "The seed in your script" not in said


def test_what_stress_provoked_stands_apart() -> None:
    read = page(samples.stressed())
    assert "Provoked on purpose, 2 sources did make it differ" in html.render(samples.stressed())
    said = read.said("stress")
    assert said.startswith("Under stress These do not break the script here and now.")
    assert "Compared with agreeing runs unprovoked: t01 t02" in said
    listing = read.said("dormant-file-order")
    for part in (
        "Provoked Directories are listed in reverse.",
        "First parts At the end of epoch 1, the weights of dense/kernel and 1 more differ",
        "Trials t30 t31",
        "train.py:12 in files os.listdir",
        "12 return [os.path.join(folder, name) for name in os.listdir(folder)]",
        "Sort every listing",
        'files = sorted(os.listdir("data"))',
    ):
        assert part in listing
    assert "Another PYTHONHASHSEED in every trial." in read.said("dormant-hash-seed")
    assert "Provoked without effect Trials t28 t29 The clock clock CPU threads cpu-threads" in said
    assert "This is incomplete: the budget was spent before python-workers" in said
    assert "largest difference 2.98e-8 absolute" in read.said("sensitivities")


def test_a_stress_test_that_moved_nothing_and_none_at_all() -> None:
    calm = structs.replace(samples.stressed(), stress=Stress(quiet=("clock",)))
    said = page(calm).said("stress")
    assert "and the result stayed the same" in said
    assert "here and now" not in said
    assert "did make it differ" not in html.render(calm)
    none = structs.replace(calm, stress=None)
    assert "stress" not in page(none).texts
    assert "Under stress" not in html.render(none)


def test_stress_on_top_of_causes_names_what_was_pinned() -> None:
    stress = Stress(pinned=("python-random",), quiet=("clock",))
    said = page(structs.replace(samples.one_cause(), stress=stress)).said("stress")
    assert "Pinned throughout, because it breaks the script as it is: python-random" in said


@pytest.mark.parametrize("verdict", ["unresolved", "unsure"])
def test_what_could_not_be_controlled_is_shown_with_its_lines(verdict: VerdictWord) -> None:
    read = page(structs.replace(samples.unresolved(), verdict=verdict))
    said = read.said("suspects")
    assert said.startswith("What could not be controlled")
    assert "train.py:4 a thread started by the script an open of /dev/urandom" in said
    assert '4x, y = load("iris.csv")' in said
    assert said.endswith("its own generator in libnoise, called from C")
    assert "a thread started" not in read.said("not-tested")


def test_with_a_cause_suspects_are_only_listed() -> None:
    read = page(samples.late_seed())
    assert read.said("suspects") == (
        "Also seen, and held by no factor a thread started by the script train.py:15"
    )
    assert "a thread started" in read.said("not-tested")


def test_a_refusal_is_a_finding_of_its_own() -> None:
    read = page(samples.late_seed())
    said = read.said("refusals")
    for part in (
        "Deterministic mode refuses an operation UnsortedSegmentSum",
        "The script does not ask for deterministic mode",
        "A deterministic GPU implementation of UnsortedSegmentSum is not currently available.",
        "24model.fit(train, labels, epochs=8)",
        "Compute the sum with tf.math.segment_sum over sorted ids",
    ):
        assert part in said


def test_a_refusal_that_the_script_asked_for_stands_with_the_verdict() -> None:
    read = page(samples.refused())
    assert "refusals" not in read.texts
    assert "The script itself asks for deterministic mode" in read.said("refusal")
    assert "That is why the script ends." in read.said("refusal")
    text = html.render(samples.refused())
    assert text.index('data-testid="refusal"') < text.index('data-testid="error"')


def test_what_was_not_tested_is_told_once_a_reason() -> None:
    said = page(samples.one_cause()).said("not-tested")
    assert said.count("this machine has no GPU") == 1
    assert "cudnn TensorFloat-32 on a GPU tf32 GPU or CPU device this machine has no GPU" in said


def test_other_verdicts_say_what_comes_next() -> None:
    unresolved = html.render(samples.unresolved())
    assert "--granularity step" in unresolved
    assert "nothing that nondet can pin" in unresolved
    assert "nondet diagnose --resume train.py --data iris.csv" in html.render(samples.unsure())
    reproducible = html.render(samples.reproducible())
    assert "That is what 6 runs saw, not a proof." in reproducible
    said = page(samples.broken()).said("error")
    assert "subject-crashed" in said
    assert "FileNotFoundError" in said


def test_no_more_is_promised_than_is_so() -> None:
    found = samples.unresolved()
    assert found.first_divergence is not None
    fit = structs.replace(found.first_divergence, checkpoint="fit", kind="value", model="KMeans")
    text = Markup(html.render(structs.replace(found, first_divergence=fit))).striptags()
    assert "After fit 20 of KMeans, the value" in text
    assert "--granularity step" not in text
    text = Markup(html.render(structs.replace(samples.unsure(), interrupted=False))).striptags()
    assert "It ended before the answer was certain." in text
    broken = samples.broken()
    assert broken.error is not None
    for slug, said in (("nothing-recorded", "Name what is"), ("several-courses", "")):
        shown = page(structs.replace(broken, error=structs.replace(broken.error, slug=slug)))
        assert "See it fail" not in shown.said("error")
        assert said in shown.said("error")


def test_a_single_trial_is_one() -> None:
    found = samples.one_cause()
    (cause,) = found.causes
    cause = structs.replace(cause, trials=("t02",), agreeing=("t05", "t06"))
    said = page(structs.replace(found, causes=(cause,))).said(f"cause-{cause.factor}")
    assert "Trial t02" in said
    assert "Trials t05 t06" in said


@pytest.mark.parametrize("folder", ["runs/third", "my runs", "a\udcff<b>"])
def test_commands_to_copy_name_the_folder(folder: str) -> None:
    where = shlex.quote(folder).encode("utf-8", "backslashreplace").decode()
    here = shlex.quote(words.FOLDER)
    for given, named in ((folder, where), (words.FOLDER, "")):
        unsure = Markup(html.render(samples.unsure(), given)).striptags()
        options = f" --output {named}" if named else ""
        assert f"nondet diagnose --resume{options} train.py --data iris.csv" in unsure
        unresolved = Markup(html.render(samples.unresolved(), given)).striptags()
        assert f"--granularity step --force{options} train.py" in unresolved
        mended = Page(html.render(samples.one_cause(), given)).said("patch-state")
        assert f"nondet fix {named or here} shows it" in mended
        assert f"nondet fix --apply {named or here} writes it" in mended


def test_what_is_empty_is_left_out() -> None:
    read = page(samples.base(verdict="unsure"))
    assert set(read.texts) == {"verdict", "environment"}
    assert read.said("verdict") == "Not sure yet"


def test_the_same_record_gives_the_same_page() -> None:
    assert html.render(samples.one_cause()) == html.render(samples.one_cause())


def test_size_is_bounded() -> None:
    frame = len(html.render(samples.base(verdict="unsure")))
    assert frame < 150_000
    assert len(html.render(samples.large())) < 1_000_000


def test_the_chart_library_ships_with_its_licence() -> None:
    licence = resources.files("nondet.report.page").joinpath("vendor/uPlot.LICENSE")
    assert "MIT License" in licence.read_text(encoding="utf-8")


KERNEL = Kernel(
    words="scatter-add in the update of `Embedding`",
    op="ResourceScatterAdd",
    seen=("localised",),
    layer="sequential/embedding",
    factor="op-determinism",
    instead="a product with one-hot rows",
    cost="memory",
    trials=("t08", "t09"),
)


def test_the_operation_that_varies_is_named_with_what_does_the_same() -> None:
    read = page(structs.replace(samples.one_cause(), kernels=(KERNEL,)))
    said = read.said("kernel")
    for part in (
        "scatter-add in the update of Embedding ResourceScatterAdd",
        "although all that came before agrees (layer sequential/embedding).",
        "A product with one-hot rows. It costs memory.",
    ):
        assert part in said
    assert "kernels" not in page(samples.one_cause()).texts
