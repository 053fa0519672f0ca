"""What a factor is: one source (or consumer) of nondeterminism that can be held or let go."""

from __future__ import annotations

import functools
import types

ALWAYS = ""
"""In place of a module's name: from the trial's beginning."""
FIRST = ","
"""In place of a variable's value: the first name of the list that it holds, or ``0``."""


class Factor(object):
    """A factor's texts, and what it does in each arm.

    The host reads `name`, the texts, `environment` and `unavailable`; the guest calls `install`.
    `acts` says when the pin must be in force: ``before-start`` (environment of the process),
    ``before-import`` or ``after-import`` of the module it concerns, or ``host`` (working folder).
    """

    name: str = ""
    group: str = ""
    title: str = ""
    """A few words: ``Python's random module``."""
    symptom: str = ""
    """What one sees of it, before one knows what it is."""
    explanation: str = ""
    """What it is and why it varies, in a sentence or two."""
    because: str = ""
    """The factor as the reason of a sentence: ``Python's `random` is not seeded``."""
    reasons: tuple[tuple[str, str], ...] = ()
    """(a sighting's detail, what stands for `because`), where that is the first that is named."""
    weaker: tuple[str, ...] = ()
    """Details of sightings that are named after all others: these tell more."""
    pinned: str = ""
    """What the pinned arm does, in words; `free`, `varied` and `off` (``ablated``) likewise."""
    free: str = "As the script has it."
    varied: str = ""
    """Empty: the arm does nothing else than `free`."""
    off: str = ""
    noticed: str = ""
    """How a trial shows that the subject uses it."""
    stress: str = ""
    """What ``--stress`` learns from the varied arm: ``dormant`` (a source that could break the
    script elsewhere or some day), ``sensitivity`` (another choice gives another result, the same in
    every run), or empty when it is not part of a stress test."""
    loads: bool = False
    """Whether the varied arm also keeps every core busy with other work."""
    fixed_addresses: bool = False
    """Whether the pinned arm needs a process without address space randomisation."""
    acts: str = "after-import"
    due: tuple[str, ...] = ()
    """When the pinned arm acts, so that it must be read back: `ALWAYS`, or once one of these
    modules is imported. Empty: where it is used, which reads it back at once, or by the host."""
    late: bool = True
    """Whether the pinned arm may be applied once the frameworks are imported."""
    pin: str = "faithful"
    observable = True
    """Whether a trial can see every use; when not, the factor counts as in use all the same."""
    framework: str | tuple[str, ...] | None = None
    """Name of the module without which this factor can't act, or of several of which it needs one;
    None when there is no such."""
    consumer = False
    """True for what consumes randomness: it carries a difference and is not its source."""
    instead: tuple[str, ...] = ()
    """Factors whose pin may hold the same difference: asked about as alternatives."""
    includes: tuple[str, ...] = ()
    """Factors whose pin is a part of this one's: where that part holds, they are the cause."""
    advice: str = ""
    """What to change, in terms that hold whatever the script uses, as long as the factor acts."""
    advices: tuple[tuple[str, str], ...] = ()
    """(framework, advice): what stands for `advice` in a script with that framework, named as in
    `fixes`. What only ``keras`` has, or only newer versions of a framework, is said here."""
    references: tuple[tuple[str, str], ...] = ()
    """(title, address) of what tells more."""
    fix: str = ""
    """Code to copy, whatever the script computes with; empty when the launch line is the fix."""
    edits: tuple[tuple[str, str], ...] = ()
    """(start of a sighting's detail, code to write at its place): what no seed at the top holds."""
    rewrites: tuple[tuple[str, str, str, str], ...] = ()
    """The same for programs: (start of the detail, name of the call at that line, what becomes of
    it, what that needs at the top of the file). See `nondet.patching.calls.Rewrite`; a name in
    braces stands for one that the host finds out."""
    fixes: tuple[tuple[str, str], ...] = ()
    """(framework, code): what stands for `fix` in a script that computes with that framework, such
    as ``torch``, ``torch on a GPU``, or ``tensorflow-1`` for an old one, or has Keras from 2.7 on:
    ``keras``. What needs a framework stands here, unless the factor acts in that one alone."""
    fix_is_sample = False
    """Whether `fix` shows how to write a line of the script, rather than what to put at its top."""
    launch: tuple[tuple[str, str], ...] = ()
    """Environment of the launch line, as (name, value), where no code for the script's framework
    says it. What begins with ``TF_`` is for scripts with TensorFlow."""
    reseeds = False
    """Whether `keras.utils.set_random_seed` holds it."""
    reseeds_on: tuple[str, ...] = ()
    """Backends of Keras on which it does, where it doesn't on every one."""

    def environment(self, arm: str, number: int) -> dict[str, str | None]:
        """Changes to the trial's environment: name to value, to None to unset it, or to `FIRST`.

        `number` is an integer that is the same in every trial (pinned) or another (varied).
        """
        return {}

    def unavailable(self, machine: dict[str, object]) -> str:
        """Why this factor can't act here, or an empty string. `machine`: dict with ``gpus``,
        ``cores``, ``tensorflow``, ``keras`` (versions or None) and ``environ``."""
        return ""

    def recognises(self, filename: str, frame: object) -> bool:
        """For consumers: whether this frame of a library, on the way to a draw, is theirs."""
        return False

    def install(self, session: object, arm: str) -> None:
        """Inside the subject's process, before its first line runs."""


def without_gpu(machine):
    """Why a factor of GPUs can't act here; empty where there is one."""
    return "" if machine.get("gpus") else "this machine has no GPU that NVML can see"


def older(machine, name, *version):
    """Whether the machine has a package, and it is older than that; `machine` as in
    `Factor.unavailable`. One of an unknown version counts as new."""
    numbers = [int(part) for part in str(machine.get(name) or "").split(".")[:2] if part.isdigit()]
    return bool(numbers) and tuple(numbers) < version


OF_KERAS_2 = "it is seen in Keras 2, and held in Keras 3 only"


def without_keras_3(machine):
    """Why what Keras 3 does can't be held; empty where it is installed."""
    if not machine.get("keras"):
        # Older versions of TensorFlow have a Keras 2 inside.
        return OF_KERAS_2 if older(machine, "tensorflow", 2, 16) else "Keras is not installed"
    return OF_KERAS_2 if older(machine, "keras", 3) else ""


class Unbound(object):
    """A stand-in for a builtin or bound method: in a class it does not bind, and it is pickled as
    the original, which takes a copy of its generator along. (`functools.partial` warns of binding
    from Python 3.13 on.)"""

    home = ""
    """The module that it stands in, where that is known."""

    def __init__(self, call):
        self.call = call

    def __call__(self, *args, **kwargs):
        return self.call(*args, **kwargs)

    def __getattr__(self, name):
        # What is not copied from the original, such as `__self__`. Not there before that one is.
        if "__wrapped__" not in vars(self):
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __reduce__(self):
        made = self.__wrapped__.__reduce__()
        if isinstance(made, str) and self.home not in ("", self.__module__):
            # A name in a module where the original still is: what `os` has is `posix`'s.
            return getattr, (Named(self.home), made)
        return made

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        import copy

        # A bound method of Python's takes a copy of its object along, one of C's does not.
        made = copy.deepcopy(self.__wrapped__, memo)
        return self if made is self.__wrapped__ else made


class Named(object):
    """A module, which is pickled by its name."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        import importlib

        return importlib.import_module, (self.name,)


def replace(owner, name, make):
    """Set ``owner.name = make(original)``, dressed as the original; nothing when it is missing."""
    original = getattr(owner, name, None)
    if original is None:
        return None
    made = make(original)
    functools.update_wrapper(made, original)
    if isinstance(owner, types.ModuleType):
        if not isinstance(original, types.FunctionType):
            stand_in = functools.update_wrapper(Unbound(made), original)
            # An original that stands in itself had its own copied over it.
            stand_in.call, stand_in.home = made, owner.__name__
            made = stand_in
        made.__module__, made.__qualname__ = owner.__name__, name
    # AutoGraph leaves what bears this mark alone: it would try to convert our source otherwise.
    made.autograph_info__ = {}
    setattr(owner, name, made)
    return original
