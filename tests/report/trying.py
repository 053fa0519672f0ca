"""Sample diagnoses that try the reports: a broken script, hostile text, and much of everything."""

from __future__ import annotations

from msgspec import structs

from nondet.record import (
    Cause,
    Cost,
    Diagnosis,
    Divergence,
    Dormant,
    Failure,
    Kernel,
    Moment,
    NotTested,
    OnGpu,
    Recording,
    Refusal,
    Seeding,
    Sensitivity,
    Site,
    SourceLine,
    Spread,
    Stress,
    Subject,
    Suspect,
    Trial,
)
from tests.report import inside, parts
from tests.report.found import base, one_cause

EVIL = "</script><script>alert(1)</script>"


def broken() -> Diagnosis:
    """The script reads a file that is not there."""
    last = "FileNotFoundError: [Errno 2] No such file or directory: 'iris.csv'"
    trace = (
        "Traceback (most recent call last):\n"
        '  File "train.py", line 4, in <module>\n    x, y = load("iris.csv")\n'
        '           ^^^^^^^^^^^^^^^^\n  File "data.py", line 11, in load\n'
        f"    with open(path, newline='') as file:\n         ^^^^^^^^^^^^^^^^^^^^^^\n{last}\n"
    )
    return base(
        verdict="broken",
        summary="The script could not be diagnosed: it ended with exit code 1.",
        error=Failure(slug="subject-crashed", message="it ended with exit code 1", traceback=trace),
        trials=(
            Trial(
                id="t01",
                plan=parts.plan(rest="free"),
                outcome="crashed",
                seconds=3.4,
                checkpoints=0,
                question="Does it run at all?",
                exit_code=1,
                note=last,
                stderr_tail=trace,
                isolation="copy",
            ),
        ),
        cost=Cost(trials=1, subject_seconds=3.4, wall_seconds=4.0, single_run_seconds=3.4),
    )


def hostile() -> Diagnosis:
    """Every text that comes from the subject tries to get out of its place."""
    quotes = "it's \"bad\"\n' onload=alert(2) \u2028`x`.py"
    layers = (f"{EVIL}/kernel", "<!--<script>/bias", "\u202egnp.exe\x00", "a&lt;b" + "x" * 300)
    evil = Site(
        file=quotes,
        line=3,
        function=EVIL,
        source=(SourceLine(number=3, text=f"model.fit({EVIL!r})  # {{{{ 7 * 7 }}}}"),),
        detail=EVIL,
        what=f"{EVIL} `{EVIL}`",
    )
    other = structs.replace(evil, line=4, file=EVIL)
    seedings = tuple(
        Seeding(call=EVIL, site=other, fault=fault, before=(evil,), factor=EVIL)
        for fault in ("late", "varies", "none")
    )
    dormant = Dormant(
        factor=EVIL,
        title=EVIL,
        explanation=EVIL,
        provoked=EVIL,
        advice=EVIL,
        fix=EVIL,
        sites=(evil, other),
        trials=("t01", EVIL),
    )
    cause = Cause(
        factor="python-random",
        sites=(evil,),
        advice=EVIL,
        fix=f"print({EVIL!r})",
        spread={EVIL: Spread(sd=1e-300, min=-1e300, max=1e300)},
        title=EVIL,
        explanation=f"`{EVIL}`",
        trials=("t01", EVIL),
        seedings=seedings,
    )
    evils = tuple(
        Moment(phase=phase, tensor=EVIL, layer=layer, kind=EVIL, op=EVIL, dtype=EVIL, differs=True)
        for phase in ("state", "batch", "forward", "loss", "gradient", "update")
        for layer in layers
    )
    firsts = tuple(inside.at(moment) for moment in evils[::5])
    log = f"\x1b[31mred\x1b[0m {EVIL}\r 10/10 \x1b]0;title\x07\x00\n"
    return one_cause(
        subject=Subject(script=quotes, args=(EVIL, "$(reboot)"), cwd="/tmp/<b>"),
        summary=f"`{EVIL}` & <img src=x onerror=alert(3)>",
        causes=(cause,),
        differences=(parts.differences(tensors=layers, start=1),),
        trials=(
            structs.replace(
                parts.trial(1, {EVIL: "free"}, EVIL, note=log),
                gpus=(OnGpu(uuid=EVIL, name=EVIL, slowed=(EVIL,)),),
            ),
            *parts.TRIALS[1:],
        ),
        warnings=(EVIL,),
        titles={EVIL: EVIL},
        stress=Stress(
            reference=(EVIL,), pinned=(EVIL,), dormant=(dormant,), quiet=(EVIL,), note=EVIL
        ),
        sensitivities=(Sensitivity(factor=EVIL, explanation=EVIL, first_divergence=parts.START),),
        suspects=(Suspect(what=EVIL, site=evil), Suspect(what=EVIL)),
        refusals=(
            Refusal(op=EVIL, message=EVIL, advice=EVIL, site=evil, trials=(EVIL,)),
            Refusal(op=EVIL, message=EVIL, advice=EVIL, own=True),
        ),
        kernels=(
            Kernel(
                words=EVIL,
                op=f"{EVIL}_",
                seen=("localised", "warned", "refused"),
                layer=EVIL,
                site=evil,
                instead=EVIL,
                cost=EVIL,
                trials=(EVIL,),
            ),
        ),
        not_tested=(NotTested(factor=EVIL, why=EVIL),),
        zooms=(
            inside.zoom(
                model=EVIL, factors=(EVIL,), trials=(EVIL,), firsts=firsts, moments=evils, note=EVIL
            ),
        ),
        step_maps=(inside.step_map(layers),),
        recording=(Recording(model=EVIL, interval=1, share=0.5),),
    )


def large(tensors: int = 500, epochs: int = 1000, trials: int = 60) -> Diagnosis:
    """A deep network trained long, with many trials, each step recorded and one looked into."""
    names = tuple(
        f"block_{n // 10}/conv_{n // 2 % 5}/{'kernel' if n % 2 == 0 else 'bias'}"
        for n in range(tensors)
    )
    moments = ("init", *(f"epoch {epoch}" for epoch in range(1, epochs)))
    apart = parts.differences(
        start=epochs // 8, rate=18 / epochs, tensors=names, checkpoints=moments
    )
    deep = inside.deep(tensors)
    where = Divergence(
        checkpoint="epoch",
        model="sequential",
        epoch=epochs // 8,
        step=epochs // 8 * 100,
        tensor=names[0],
        kind="weights",
        max_abs=apart.max_abs[0][epochs // 8],
        trials=("t01", "t02"),
        tensors_differing=12,
        tensors=tensors,
    )
    return one_cause(
        summary=f"Runs part in epoch {epochs // 8}: the weights of `block_0/conv_0/kernel` and "
        "11 more differ, because Python's `random` is not seeded.",
        first_divergence=where,
        causes=(structs.replace(parts.RANDOM, first_divergence=where),),
        differences=(apart,),
        zooms=(inside.zoom(moments=inside.step("gradient/block_30/layer_300/kernel", deep)),),
        step_maps=(inside.step_map(names, range(1, 501), start=170),),
        trials=tuple(
            parts.trial(n, parts.plan(("python-random",) if n % 3 else ()), "Is it python-random?")
            for n in range(1, trials + 1)
        ),
    )
