"""The records of a diagnosis: what `diagnosis.json` holds, and nothing else.

Every record is frozen. A field is added freely; one that is renamed, removed or
changes its meaning raises ``SCHEMA`` and gets a line in its history below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec

from nondet.naming import enumerated

SCHEMA = 1
"""Schema number of ``diagnosis.json``.

History:
  1  first version
"""

Arm = Literal["pinned", "free", "varied", "ablated"]
Outcome = Literal["completed", "stopped-early", "crashed", "timed-out", "killed"]
VerdictWord = Literal["reproducible", "causes-found", "unresolved", "unsure", "broken"]

EXIT_CODES: dict[VerdictWord, int] = {
    "reproducible": 0,
    "causes-found": 1,
    "unresolved": 3,
    "unsure": 4,
    "broken": 5,
}


class RecordError(ValueError):
    """A record that can't be read: not JSON, not a diagnosis, or of a newer schema."""


def check_shape(name: str, rows: Sequence[Sequence[object]], count: int, length: int) -> None:
    """Raises ValueError when a matrix has not so many rows, each of that length."""
    if len(rows) != count or any(len(row) != length for row in rows):
        raise ValueError(f"`{name}`: expected {count} rows of {length}")


class Base(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Common shape of all records: immutable, keyword-only, compared by value."""


Record = TypeVar("Record", bound=Base)


class Subject(Base, frozen=True, kw_only=True):
    """The user's script, and how it is started."""

    script: str
    """As the user named it."""
    args: tuple[str, ...] = ()
    python: str = ""
    """Interpreter that runs the subject."""
    cwd: str = ""
    sha256: str = ""
    """Of the script's bytes when the diagnosis began; of a notebook, of its code alone."""
    module: str = ""
    """The name that ``-m`` was given, when it is run as a module; `script` is its file then."""
    trains: str = ""
    """The script that was recorded, where the named one starts it in a process of its own."""

    @property
    def named(self) -> tuple[str, ...]:
        """How it is named on a command line."""
        return ("-m", self.module) if self.module else (self.script,)


class Environment(Base, frozen=True, kw_only=True):
    """The machine and the packages the trials ran with."""

    python: str
    platform: str
    cpu: str
    cores: int
    gpus: tuple[str, ...] = ()
    driver: str | None = None
    packages: dict[str, str] = {}


class Machine(Base, frozen=True, kw_only=True):
    """A machine of a cluster that could run trials, and its hardware and software."""

    host: str
    kind: str
    """Equal for machines whose hardware and software are the same as far as they bear on results:
    trials of one plan are compared where they are."""
    platform: str
    libc: str = ""
    """The C library with the architecture."""
    cpu: str
    features: tuple[str, ...] = ()
    """Instruction sets by which libraries choose kernels."""
    cores: int
    """Those that a trial may use there."""
    gpus: tuple[str, ...] = ()
    """Those that a trial may use there."""
    driver: str | None = None
    python: str = ""
    packages: dict[str, str] = {}
    """Of the subject's interpreter as it is there."""
    isolation: str = ""


class SourceLine(Base, frozen=True, kw_only=True):
    """One line of the user's code, kept so that the report needs no file but the record."""

    number: int
    text: str


class Site(Base, frozen=True, kw_only=True):
    """A place in the user's code."""

    file: str
    """Relative to the working folder or the script's where it lies in it, and is not taken there
    for another file."""
    line: int
    function: str
    source: tuple[SourceLine, ...] = ()
    """The line with a few lines around it."""
    detail: str = ""
    """What happened there, in a few words: ``random.randint, drawn by keras for Dense``."""
    count: int = 1
    """How often it was seen in one trial."""
    what: str = ""
    """The layer on whose behalf: ``Dropout `dropout_1```; empty when it is none."""
    cell: int = 0
    """Of a notebook: the code cell, counted from 1 as a run from the top numbers them; else 0."""
    cell_line: int = 0
    """The line within the cell, from 1; `line` is that of the notebook's file."""

    @property
    def number(self) -> int:
        """The number that the line has in `source`."""
        return self.cell_line or self.line

    @property
    def text(self) -> str:
        """The line itself; empty when it is not known."""
        return next((line.text for line in self.source if line.number == self.number), "")

    @property
    def place(self) -> str:
        """``train.py:31``, or ``train.ipynb cell 3, line 5``."""
        return place(self)


class Divergence(Base, frozen=True, kw_only=True):
    """Where two trials of the same plan first differ."""

    checkpoint: Literal["init", "batch", "step", "epoch", "fit", "end", "user"]
    model: str
    epoch: int
    step: int
    tensor: str
    """Layer path of the variable, or the name given to ``nondet.checkpoint``."""
    kind: Literal[
        "initial-weights",
        "state",
        "batch",
        "forward",
        "loss",
        "gradient",
        "update",
        "weights",
        "value",
    ]
    max_abs: float | None = None
    max_rel: float | None = None
    max_ulp: int | None = None
    """Over the tensor's elements; None when the values were not kept or can't be compared."""
    mean_abs: float | None = None
    mean_rel: float | None = None
    """Over all elements of the tensor, those that agree among them."""
    share: float | None = None
    """Of the tensor's elements whose bits differ: from 0 to 1."""
    cosine: float | None = None
    """Cosine of the angle between the two flattened tensors, in float64. None also when an element
    of either is not finite, or a norm is 0."""
    trials: tuple[str, ...] = ()
    """The two trials that part here."""
    tensors_differing: int = 1
    tensors: int = 1
    """How many of the checkpoint's tensors differ, and how many there are."""


class Spread(Base, frozen=True, kw_only=True):
    """Spread of one final metric over trials."""

    sd: float
    min: float
    max: float


class Seeding(Base, frozen=True, kw_only=True):
    """A seed that the script gives, and what is wrong with it."""

    call: str
    """What stands in the line: ``np.random.seed``."""
    site: Site
    fault: Literal["late", "varies", "none"]
    """``late``: something was drawn before it; ``varies``: another seed in every run; ``none``:
    given in time, so it is not what breaks the runs."""
    before: tuple[Site, ...] = ()
    """What had been drawn before it."""
    factor: str = ""
    """The generator that it seeds."""


class Slowdown(Base, frozen=True, kw_only=True):
    """How much longer a whole run takes with a cause's pin. A pin that slows a run down may hide
    a race by that alone."""

    ratio: float
    """Of the two medians."""
    pinned_seconds: float
    """Median of whole trials with the pin."""
    free_seconds: float
    """Median of whole trials without it."""
    pinned: tuple[str, ...]
    free: tuple[str, ...]
    """The trials behind the medians."""
    also: tuple[str, ...] = ()
    """Other factors that only the former pin, where no nearer plan had whole trials. The ratio is
    then that of all these pins together."""
    noticeable: bool = False
    """Whether slowness alone may be what holds the runs together: a factor of parallel work or of
    kernels, two trials or more on either side, and each of those with the pin at least 1.2 times as
    long as any without it. These are times by the clock: a machine that was busier meanwhile looks
    the same."""


class Cause(Base, frozen=True, kw_only=True):
    """A factor that breaks reproducibility, with its proof."""

    factor: str
    consumers: tuple[str, ...] = ()
    sites: tuple[Site, ...] = ()
    first_divergence: Divergence | None = None
    pin: Literal["faithful", "ablating"] = "faithful"
    trials: tuple[str, ...] = ()
    """Trials that prove it: this factor free, the other causes pinned, and they part."""
    agreeing: tuple[str, ...] = ()
    """Trials with this factor pinned as well: they agree."""
    advice: str = ""
    fix: str = ""
    """Code or launch line to copy."""
    spread: dict[str, Spread] = {}
    title: str = ""
    """The factor in a few words: ``Python's random module``."""
    explanation: str = ""
    """What it is, in a sentence or two."""
    because: str = ""
    """The cause as the reason of a sentence, with its consumers and lines."""
    seedings: tuple[Seeding, ...] = ()
    """Seeds that the script gives and that bear on this cause."""
    slowdown: Slowdown | None = None
    """None when it can't be told: no whole trials with its pin, or none without."""
    operation: str = ""
    """The one behind it, where it was found: ``scatter-add in the update of `Embedding```."""


class Sensitivity(Base, frozen=True, kw_only=True):
    """A factor that shifts the result, the same way in every run."""

    factor: str
    trials: tuple[str, ...] = ()
    explanation: str = ""
    first_divergence: Divergence | None = None
    """Where the trials of the other choice leave those of the script as it is."""


class Dormant(Base, frozen=True, kw_only=True):
    """A source that does not break the script today, and did once it was provoked."""

    factor: str
    title: str = ""
    explanation: str = ""
    provoked: str = ""
    """What was done to provoke it."""
    advice: str = ""
    fix: str = ""
    sites: tuple[Site, ...] = ()
    trials: tuple[str, ...] = ()
    """Provoked trials; they differ from those of the reference."""
    first_divergence: Divergence | None = None


class Stress(Base, frozen=True, kw_only=True):
    """What ``--stress`` provoked, apart from what breaks the script as it is."""

    reference: tuple[str, ...] = ()
    """Agreeing trials that the provoked ones were compared with."""
    pinned: tuple[str, ...] = ()
    """Factors pinned in all of them: the causes."""
    dormant: tuple[Dormant, ...] = ()
    quiet: tuple[str, ...] = ()
    """Factors that were provoked without effect."""
    trials: tuple[str, ...] = ()
    note: str = ""
    """Why it is incomplete, when it is."""


class Suspect(Base, frozen=True, kw_only=True):
    """Something that no factor explains or controls, seen in the trials."""

    what: str
    """``a thread started by the script``, ``an open of /dev/urandom``."""
    site: Site | None = None


class Refusal(Base, frozen=True, kw_only=True):
    """Deterministic mode refused an operation: a finding, and no verdict on the script."""

    op: str
    """The operation, or what stood in the way when the message names none."""
    message: str
    """The framework's own words, in one line."""
    advice: str
    site: Site | None = None
    trials: tuple[str, ...] = ()
    own: bool = False
    """Whether the script itself asks for deterministic mode."""


class Kernel(Base, frozen=True, kw_only=True):
    """An operation that gives other bits from run to run, and what does the same repeatably."""

    words: str
    """``scatter-add in the backward pass of `Embedding```."""
    op: str = ""
    """The framework's own name: ``ResourceScatterAdd``; empty where it is not known."""
    seen: tuple[Literal["localised", "warned", "refused", "released"], ...] = ()
    """How it was found: where trials part first inside a step; by a warning of the framework's
    while it was held deterministic; by its refusal; by trials that held all operations but this
    one, and parted."""
    layer: str = ""
    """Path of the layer, where trials part first there."""
    site: Site | None = None
    factor: str = ""
    """The factor that holds it, or that asked for what was warned of or refused."""
    instead: str = ""
    """What does the same repeatably; empty where nothing is known."""
    cost: str = ""
    """What that costs."""
    trials: tuple[str, ...] = ()


class Cleared(Base, frozen=True, kw_only=True):
    """A factor that was tested and does not break reproducibility."""

    factor: str
    why: Literal["not-exercised", "released-without-effect"]
    trials: tuple[str, ...] = ()


class NotTested(Base, frozen=True, kw_only=True):
    """A factor that could not be tested, and why."""

    factor: str
    why: str


class Edit(Base, frozen=True, kw_only=True):
    """A line of the user's code to change."""

    file: str
    line: int
    code: str
    """What to write there in place of what varies."""
    factor: str = ""
    """The cause that it is for."""
    call: str = ""
    """Last part of the name called there, of the call that changes; empty where `code` is for
    people alone."""
    template: str = ""
    """What becomes of the call: see `nondet.patching.calls.Rewrite`."""
    top: str = ""
    """What the change needs at the top of its file."""
    cell: int = 0
    cell_line: int = 0
    """As those of `Site`."""

    @property
    def place(self) -> str:
        """As that of `Site`."""
        return place(self)


def place(named: Site | Edit) -> str:
    """A line of the user's code as people look for it."""
    if named.cell:
        return f"{named.file} cell {named.cell}, line {named.cell_line}"
    return f"{named.file}:{named.line}"


def spot(named: Site | Edit) -> tuple[str, int, int]:
    """The same as a key."""
    return named.file, named.cell, named.cell_line or named.line


class Program(Base, frozen=True, kw_only=True):
    """A script that the subject starts in a process of its own, and that uses a cause there."""

    file: str
    top: tuple[str, ...] = ()
    """Code for its top; `drawing` as in `Prescription`."""
    drawing: tuple[str, ...] = ()

    @property
    def snippet(self) -> str:
        return "\n\n".join(self.top)


class Prescription(Base, frozen=True, kw_only=True):
    """The smallest change found that makes the subject reproducible."""

    snippet: str
    """Code to put at the top of the script; empty when nothing there helps."""
    edits: tuple[Edit, ...] = ()
    """Lines to change where they stand."""
    advice: tuple[str, ...] = ()
    """In words, for what no line of code was found for."""
    launch: str = ""
    """Launch line, for what can't be set from inside the script."""
    variables: dict[str, str] = {}
    """What it sets in the environment."""
    top: tuple[str, ...] = ()
    """The code for the top of the script that runs there as it is: what the patch puts there."""
    drawing: tuple[str, ...] = ()
    """Modules of the user's that draw while they are imported, by their whole names: the code goes
    before them."""
    programs: tuple[Program, ...] = ()
    """Scripts beside that one which need code at their own tops."""
    patch: str | None = None
    """Unified diff of the user's files that does what code can do; None where it can do nothing."""
    left: tuple[str, ...] = ()
    """What the patch does not do, and why."""
    patch_trials: tuple[str, ...] = ()
    """Trials of the patched script with nothing pinned, and how it is to be started."""
    patch_verified: bool = False
    """Whether these agree, as often as the confidence asks for."""
    patch_note: str = ""
    """Why they don't tell, or were not run."""
    pins: tuple[str, ...] = ()
    verified_trials: tuple[str, ...] = ()
    verified: bool = False


MOST_NAMES = 3
"""Names of what was compared in a sentence."""


class Compared(Base, frozen=True, kw_only=True):
    """What runs were compared by: nothing is known of anything else that they computed."""

    models: tuple[str, ...] = ()
    """Names of the models that were recorded, in the order of first training."""
    values: tuple[str, ...] = ()
    """Names given to ``nondet.checkpoint``."""
    checkpoints: int = 0
    """Of one run."""
    by_products: bool = False
    """Whether these only prepare data (scalers, encoders), so that nothing that trains was seen."""

    @property
    def names(self) -> str:
        """The models, a few of them by name: ```a`, `b`, `c` and 4 more``."""
        return enumerated([f"`{name}`" for name in self.models], MOST_NAMES)

    @property
    def what(self) -> str:
        """In words: ``the weights of `sequential```."""
        given = enumerated([f"`{name}`" for name in self.values], MOST_NAMES)
        values = f"the value{'' if len(self.values) == 1 else 's'} {given}"
        parts = [f"the weights of {self.names}"] if self.models else []
        parts += [f"{values} given to `nondet.checkpoint`"] if self.values else []
        return " and ".join(parts)

    @property
    def words(self) -> str:
        """The same with their number: ``the weights of `sequential` at 13 checkpoints``."""
        if not self.checkpoints:  # a script that ended before its last steps were recorded
            return self.what
        many = f"{self.checkpoints} checkpoint{'' if self.checkpoints == 1 else 's'}"
        return f"{self.what}{',' if self.values else ''} at {many}"


class Confidence(Base, frozen=True, kw_only=True):
    """What the agreeing trials allow to say."""

    agreeing_trials: int
    divergence_probability_bound: float
    """Upper Clopper-Pearson bound on the probability that a further run differs."""
    level: float
    rate: float = 0.5
    """Smallest rate of divergence that was not to be missed, as asked for."""
    compared: Compared | None = None
    """What these trials agree in; None in records that were made without it."""


class OnGpu(Base, frozen=True, kw_only=True):
    """A GPU that a trial could see, and what it was like meanwhile, as its driver tells. None: the
    driver does not say, or the GPU has it not."""

    uuid: str
    name: str
    mig: bool | None = None
    """Whether it is an instance of a GPU that is cut into several."""
    used: bool | None = None
    """Whether the trial took memory on it; None where its framework did not tell."""
    memory: int | None = None
    """Bytes: the most in use, beyond what was before. None beside other trials."""
    sm_clock: tuple[int, int] | None = None
    """MHz, the lowest and the highest seen, of its processors; of its memory likewise."""
    memory_clock: tuple[int, int] | None = None
    slowed: tuple[str, ...] = ()
    """What slowed its clock down: ``heat``."""
    corrected: int | None = None
    """Errors of its memory meanwhile that were corrected."""
    uncorrected: int | None = None
    """Those that were not."""
    others: int | None = None
    """Processes of others on it before or after the trial, the most. None beside other trials."""
    lost: bool = False
    """Whether the driver lost it."""


class Trial(Base, frozen=True, kw_only=True):
    """One run of the subject in a process of its own."""

    id: str
    plan: dict[str, Arm]
    outcome: Outcome
    seconds: float
    checkpoints: int
    question: str = ""
    """What was asked of this trial, in words."""
    exit_code: int | None = None
    peak_memory: int | None = None
    """Bytes, the largest single process."""
    metrics: dict[str, float] = {}
    """Last value seen of every metric."""
    note: str = ""
    """Why it was stopped, or how it failed."""
    stdout_tail: str = ""
    stderr_tail: str = ""
    isolation: str = ""
    """How its working folder was made: ``overlay``, ``copy`` or ``in-place``."""
    forked: bool = False
    """Forked from a process that had imported the frameworks, rather than started by itself."""
    machine: int | None = None
    """Place in the diagnosis' `machines` of the one that it ran on; None where there are none."""
    at_horizon: bool = False
    """Whether it came to the shortened horizon, where trials are ended: whole up to there."""
    gpus: tuple[OnGpu, ...] = ()
    """Those that it could see."""
    released: tuple[str, ...] = ()
    """Operations that kept their usual kernels, while all others were held deterministic."""


class QuestionRecord(Base, frozen=True, kw_only=True):
    """One question of the search with its answer, in the order asked."""

    text: str
    pinned: tuple[str, ...]
    free: tuple[str, ...]
    varied: tuple[str, ...] = ()
    """Deliberately different in every trial, under ``--stress``."""
    verdict: Literal["AGREES", "DIVERGES", "BROKEN", "UNSURE"]
    trials: tuple[str, ...]
    conclusion: str = ""
    """What it showed or ruled out, in a few words."""
    comparisons: int = 0
    """Comparisons made of its trials, and how many of them found a difference."""
    divergences: int = 0
    divergence_probability_bound: float | None = None
    """For ``AGREES``: upper Clopper-Pearson bound on the probability that a further run differs, at
    the confidence asked for."""


class Differences(Base, frozen=True, kw_only=True):
    """How far two diverging trials are apart, tensor by tensor and checkpoint by checkpoint.

    The matrices have shape (tensors, checkpoints). A cell is 0 where the bits are equal,
    and None where the values were not kept or can't be compared as numbers.
    """

    trials: tuple[str, str]
    model: str
    tensors: tuple[str, ...]
    checkpoints: tuple[str, ...]
    """Labels: ``init``, ``epoch 3``, ``step 17``."""
    max_abs: tuple[tuple[float | None, ...], ...]
    max_rel: tuple[tuple[float | None, ...], ...]
    max_ulp: tuple[tuple[int | None, ...], ...]
    differs: tuple[tuple[bool, ...], ...]
    share: tuple[tuple[float | None, ...], ...] = ()
    """Of a tensor's elements whose bits differ. Empty in records that were made without it."""
    note: str = ""
    """What was left out, and why."""

    def __post_init__(self) -> None:
        for name in ("differs", "max_abs", "max_rel", "max_ulp", "share"):
            rows = getattr(self, name)
            if rows or name != "share":
                check_shape(name, rows, len(self.tensors), len(self.checkpoints))


class Moment(Base, frozen=True, kw_only=True):
    """Something recorded inside a step: a tensor that came into being there."""

    phase: Literal["state", "batch", "forward", "loss", "gradient", "update"]
    tensor: str
    """Which: ``x``, ``input``, ``output``, ``kernel``, ``gradient of its output``."""
    layer: str = ""
    """Path of the layer; empty for the batch and the loss."""
    kind: str = ""
    """What computes it: the layer's or the optimizer's class, ``Conv2D``."""
    op: str = ""
    """The framework's own operation, where it is known: ``BiasAdd``."""
    dtype: str = ""
    shape: tuple[int, ...] = ()
    differs: bool = False


class First(Base, frozen=True, kw_only=True):
    """What was the first to differ, although all that was recorded before it agrees."""

    step: int
    moment: Moment
    pairs: int
    """In how many of the pairs of trials."""


class Zoom(Base, frozen=True, kw_only=True):
    """A closer look at the steps around the one where trials of a plan part."""

    model: str
    factors: tuple[str, ...] = ()
    """Causes that were free in these trials; empty where none was found."""
    trials: tuple[str, ...]
    first_step: int
    last_step: int
    """The steps looked into."""
    pairs: int = 0
    """Pairs of trials that parted inside these steps."""
    firsts: tuple[First, ...] = ()
    """What was first, most frequent first."""
    step: int = 0
    """The step shown: where the first pair parted; 0 when none did."""
    pair: tuple[str, str] | None = None
    moments: tuple[Moment, ...] = ()
    """All that was recorded in this step, in the order of execution."""
    mode: str = ""
    """How the step ran: ``eager``, ``graph``, ``xla`` or ``jit``."""
    unchanged_steps: int = 0
    """Steps before the parting whose weights have the same bits as in trials that were not looked
    into: so far, looking changed nothing."""
    note: str = ""
    """What could not be seen, and why."""

    @property
    def saw_targets(self) -> bool:
        """Whether the targets are among what was recorded of a batch. Keras names them so; of other
        loops no more than the inputs of the model is seen."""
        names = [moment.tensor for moment in self.moments if moment.phase == "batch"]
        return any(name == "y" or name.startswith("y[") for name in names)


class StepMap(Base, frozen=True, kw_only=True):
    """Which tensors differ between two trials after which steps."""

    trials: tuple[str, str]
    model: str
    tensors: tuple[str, ...]
    steps: tuple[int, ...]
    differs: tuple[str, ...]
    """For each tensor one character a step: ``1`` where the bits differ, else ``0``."""

    def __post_init__(self) -> None:
        check_shape("differs", self.differs, len(self.tensors), len(self.steps))
        if not all(set(row) <= {"0", "1"} for row in self.differs):
            raise ValueError("`differs`: expected rows of 0 and 1")


class Recording(Base, frozen=True, kw_only=True):
    """How finely the weights were recorded during training."""

    model: str
    interval: int
    """Every so many steps, after the first few that are all recorded."""
    share: float
    """Of the time of training, what recording took, in the trial where it took most."""
    bytes: int = 0
    """On disk, of the largest trial."""


class Horizon(Base, frozen=True, kw_only=True):
    """Where ``--epochs`` or ``--steps`` ended the trials: what comes later was not looked at."""

    unit: Literal["epoch", "step"]
    count: int
    """As asked for; every fit and every model counts on."""
    reached: str = ""
    """The checkpoint that it came to: ``epoch 3``, ``fit 2, epoch 1``, ``step 102``. Empty when no
    trial got that far, so that all of them ran to their own end."""

    @property
    def end(self) -> str:
        """In words, with the checkpoint where that has another number: ``the end of epoch 4
        (fit 2, epoch 1)``."""
        at = f"{self.unit} {self.count}"
        words = f"the end of {at}" if self.unit == "epoch" else at
        return words if self.reached in ("", at) else f"{words} ({self.reached})"


class Cost(Base, frozen=True, kw_only=True):
    """What the diagnosis took."""

    trials: int
    subject_seconds: float
    wall_seconds: float
    single_run_seconds: float
    importing_seconds: float = 0.0
    """Of `subject_seconds`, what processes took that imported the frameworks for forked trials."""
    forked_trials: int = 0
    not_forked: str = ""
    """Why no trial was forked (any more), when that was wanted and did not work."""


class Failure(Base, frozen=True, kw_only=True):
    """Why the subject could not be diagnosed."""

    slug: str
    message: str
    traceback: str = ""


class Diagnosis(Base, frozen=True, kw_only=True):
    """The whole record: everything a report can show."""

    schema: int = SCHEMA
    nondet: str
    subject: Subject
    environment: Environment
    verdict: VerdictWord
    summary: str = ""
    """The verdict as one sentence."""
    causes: tuple[Cause, ...] = ()
    alternatives: tuple[tuple[str, ...], ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()
    cleared: tuple[Cleared, ...] = ()
    not_tested: tuple[NotTested, ...] = ()
    first_divergence: Divergence | None = None
    prescription: Prescription | None = None
    confidence: Confidence | None = None
    trials: tuple[Trial, ...] = ()
    questions: tuple[QuestionRecord, ...] = ()
    differences: tuple[Differences, ...] = ()
    cost: Cost
    error: Failure | None = None
    interrupted: bool = False
    warnings: tuple[str, ...] = ()
    started: str = ""
    """UTC, ISO 8601."""
    seed: int = 0
    """All pinned streams derive from it."""
    digest: str = ""
    """Digest algorithm of every trajectory in this diagnosis."""
    stress: Stress | None = None
    """None unless ``--stress`` was asked for."""
    suspects: tuple[Suspect, ...] = ()
    """What was seen and could not be controlled; told when no cause was found."""
    refusals: tuple[Refusal, ...] = ()
    """Operations that refused to run in deterministic mode."""
    kernels: tuple[Kernel, ...] = ()
    """Operations that are behind causes of the kernels' group, or have no deterministic form."""
    horizon: Horizon | None = None
    """None when trials ran to their end."""
    zooms: tuple[Zoom, ...] = ()
    """Looks inside the steps where trials part."""
    step_maps: tuple[StepMap, ...] = ()
    recording: tuple[Recording, ...] = ()
    executor: str = "local"
    """Where trials ran, as ``--executor`` names it."""
    machines: tuple[Machine, ...] = ()
    """Those of a cluster, in the order in which they came; empty where trials ran on this one."""
    options: tuple[str, ...] = ()
    """Options of the command as they were given, without those that say where the result goes."""
    titles: dict[str, str] = {}
    """Every factor's title in a few words, for those who read the record without nondet."""


def encode(diagnosis: Diagnosis) -> bytes:
    """JSON of a diagnosis, indented, with NaN and infinities as null (JSON has neither)."""
    return encode_any(diagnosis)


def encode_any(found: Base) -> bytes:
    """JSON of a record of any kind, as `encode` writes it."""
    try:
        data = msgspec.json.encode(found)
    except UnicodeEncodeError:  # an argument or a path that is no valid text
        data = msgspec.json.encode(_as_text(msgspec.to_builtins(found)))
    return msgspec.json.format(data, indent=2) + b"\n"


def _as_text(value: Any) -> Any:
    """The same with every lone surrogate written out as an escape."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_as_text(key): _as_text(item) for key, item in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list | tuple) else value


def decode(data: bytes) -> Diagnosis:
    """Read what `encode` wrote. Raises RecordError, saying what is wrong and where."""
    return decode_any(data, Diagnosis, SCHEMA, "a diagnosis")


def decode_any(data: bytes, kind: type[Record], newest: int, what: str) -> Record:
    """Read a record with an integer `schema`, up to the newest known. Raises RecordError."""
    try:
        head: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from error
    schema = head.get("schema") if isinstance(head, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise RecordError(f"not {what}: expected an object with an integer `schema`")
    if schema > newest:
        raise RecordError(
            f"schema {schema} is newer than the {newest} this nondet reads; upgrade nondet-diagnose"
        )
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RecordError(f"not {what} of schema {schema}: {error}") from error
