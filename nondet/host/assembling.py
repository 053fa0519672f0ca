"""From what the search found and the trials recorded to the record of the diagnosis."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from nondet import record, stats
from nondet.guest.factors import by_name
from nondet.guest.factors.base import Factor
from nondet.host import differences, evidence, releasing, slowness, wording
from nondet.host.comparing import order, parting
from nondet.host.laboratory import Laboratory
from nondet.host.launching import launching, line, together
from nondet.host.line_edits import Places, in_place
from nondet.host.prescribing import advice, code
from nondet.host.sites import MOST_LINES, Sites, foremost
from nondet.host.steps import differing_map
from nondet.host.trials import Trial
from nondet.search.questions import Finding, Guilt
from nondet.verdict import Witness

MOST_CELLS = 2_000_000
"""Cells of the layer x checkpoint matrix; more checkpoints than fit are thinned."""


class Assembly:
    """Reads trials of one laboratory; makes the parts of its record."""

    def __init__(self, laboratory: Laboratory, finding: Finding) -> None:
        self.laboratory = laboratory
        self.finding = finding
        self.subject = laboratory.settings.subject
        self.store = laboratory.settings.output / "values"
        self.sites = Sites(self.subject)
        self.by_id = {trial.id: trial for trial in laboratory.trials}

    # -- where trials part

    def parting(self, ids: Sequence[str]) -> record.Divergence | None:
        """The earliest place where one of these trials leaves the plan's first one."""
        parted = [self.by_id[i] for i in ids if self.by_id[i].witness is not None]
        if not parted:
            return None
        trial = min(parted, key=lambda t: order(t.witness) if t.witness else (0, False, 0))
        return self._divergence(self.by_id[trial.reference], trial)

    def _divergence(self, reference: Trial, trial: Trial) -> record.Divergence | None:
        witness = trial.witness
        if witness is None:
            return None
        checkpoint = witness.checkpoint
        distance = self._distance(reference, witness)
        kinds = {"init": "initial-weights", "fit": "value", "user": "value"}
        return record.Divergence(
            checkpoint=checkpoint.kind,  # type: ignore[arg-type]
            model=checkpoint.model,
            epoch=checkpoint.epoch,
            step=checkpoint.step,
            tensor=witness.tensor,
            kind=kinds.get(checkpoint.kind, "weights"),  # type: ignore[arg-type]
            max_abs=distance.max_abs,
            max_rel=distance.max_rel,
            max_ulp=distance.max_ulp,
            mean_abs=distance.mean_abs,
            mean_rel=distance.mean_rel,
            share=distance.share,
            cosine=distance.cosine,
            trials=(reference.id, trial.id),
            tensors_differing=witness.differing,
            tensors=len(checkpoint.tensors),
        )

    def _distance(self, trial: Trial, witness: Witness) -> differences.Distance:
        if witness.other is None or not witness.tensor:
            return differences.NOTHING
        one = dict(witness.checkpoint.tensors)[witness.tensor]
        other = dict(witness.other.tensors)[witness.tensor]
        dtype = trial.dtypes(witness.checkpoint.model).get(witness.tensor, "")
        return differences.distance(self.store, one, other, dtype)

    def matrices(self, ids: Sequence[str]) -> tuple[record.Differences, ...]:
        """How far two of these trials that part are apart, for each model: whole ones if there
        are such."""
        pair = self._pair(ids)
        if pair is None:
            return ()
        reference, other = pair
        models = dict.fromkeys(c.model for c in reference.checkpoints if c.kind != "user")
        found = (self._matrix(model, reference, other) for model in models)
        return tuple(matrix for matrix in found if matrix is not None)

    def _pair(self, ids: Sequence[str]) -> tuple[Trial, Trial] | None:
        """Two of these trials that part, whole ones if there are such."""
        trials = [self.by_id[i] for i in ids]
        whole = [t for t in trials if t.whole and not t.set_aside]
        pairs = [(a, b) for a, b in itertools.pairwise(whole) if parting(a, b, ended=True)]
        pairs += [(self.by_id[t.reference], t) for t in trials if t.witness is not None]
        return pairs[0] if pairs else None

    def _matrix(self, model: str, one: Trial, other: Trial) -> record.Differences | None:
        pairs = [
            (a, b)
            for a, b in zip(one.checkpoints, other.checkpoints, strict=False)
            if a.model == model and a.key == b.key and len(a.tensors) == len(b.tensors)
        ]
        if not pairs:
            return None
        # A model that is built by its first batch has no tensors before.
        tensors = [path for path, _ in pairs[-1][0].tensors]
        pairs = [p for p in pairs if [path for path, _ in p[0].tensors] == tensors]
        most = max(1, MOST_CELLS // max(1, len(tensors)))
        stride = -(-len(pairs) // most)
        note = f"every {stride}th checkpoint is shown" if stride > 1 else ""
        pairs = pairs[::stride]
        dtypes = one.dtypes(model)
        digests = [
            [(a.tensors[i][1], b.tensors[i][1]) for a, b in pairs] for i in range(len(tensors))
        ]
        rows = [
            [differences.distance(self.store, *cell, dtypes.get(path, "")) for cell in row]
            for path, row in zip(tensors, digests, strict=True)
        ]
        return record.Differences(
            trials=(one.id, other.id),
            model=model,
            tensors=tuple(tensors),
            checkpoints=tuple(a.label for a, _ in pairs),
            differs=tuple(tuple(one != other for one, other in row) for row in digests),
            max_abs=tuple(tuple(cell.max_abs for cell in row) for row in rows),
            max_rel=tuple(tuple(cell.max_rel for cell in row) for row in rows),
            max_ulp=tuple(tuple(cell.max_ulp for cell in row) for row in rows),
            share=tuple(tuple(cell.share for cell in row) for row in rows),
            note=note,
        )

    def step_maps(self, ids: Sequence[str]) -> tuple[record.StepMap, ...]:
        """Which tensors differ after which steps, of the same pair of trials as `matrices`."""
        pair = self._pair(ids)
        if pair is None:
            return ()
        one, other = pair
        found = []
        for index in sorted(one.traces.keys() & other.traces.keys()):
            steps, differs = differing_map(one.traces[index], other.traces[index])
            layout = one.layout_of(index, len(differs))
            if layout is not None and differs.any():
                found.append(
                    record.StepMap(
                        trials=(one.id, other.id),
                        model=one.models[index],
                        tensors=tuple(path for path, _, _ in layout.tensors),
                        steps=tuple(int(step) for step in steps),
                        differs=tuple("".join("01"[int(cell)] for cell in row) for row in differs),
                    )
                )
        return tuple(found)

    # -- causes

    def causes(self) -> tuple[record.Cause, ...]:
        return tuple(self._cause(guilt) for guilt in self.finding.guilty)

    def _cause(self, guilt: Guilt) -> record.Cause:
        factor = by_name(guilt.factor)
        seen = evidence.sightings_of(guilt.factor, self.laboratory.trials)
        consumers = dict.fromkeys(s.consumer for s in seen if s.consumer is not None)
        places = self.all_places(guilt)
        # Keys made from a seed that varies are what carries the difference.
        fed = [
            s.factor for s in places.seedings if s.fault == "varies" and by_name(s.factor).consumer
        ]
        consumers |= dict.fromkeys(fed)
        plugins = self.laboratory.settings.plugins
        changes = [edit.code for edit in in_place(guilt.factor, places, plugins)]
        cause = record.Cause(
            factor=guilt.factor,
            title=factor.title,
            explanation=factor.explanation,
            consumers=tuple(consumers),
            sites=foremost(places.sites),
            first_divergence=self.parting(guilt.parting),
            pin="ablating" if guilt.arm == "ablated" else factor.pin,  # type: ignore[arg-type]
            trials=guilt.parting,
            agreeing=guilt.agreeing,
            advice=advice(factor, self.frameworks, self.backend),
            fix="\n".join(dict.fromkeys(changes)) or self.change(factor),
            spread=self._spread(guilt.parting),
            seedings=places.seedings[:MOST_LINES],
            slowdown=slowness.slowdown(guilt, self.laboratory.trials),
        )
        return msgspec.structs.replace(cause, because=wording.because(cause))

    @property
    def frameworks(self) -> dict[str, str]:
        """What trials have imported, with the versions; also as ``torch on a GPU`` where they saw
        one."""
        trials = self.laboratory.trials
        found = {name: version for trial in trials for name, version in trial.frameworks.items()}
        if any(trial.gpus for trial in trials):
            found |= {f"{name} on a GPU": version for name, version in found.items()}
        return found

    @property
    def backend(self) -> str:
        """Keras'; empty where there is none."""
        return next((trial.backend for trial in self.laboratory.trials if trial.backend), "")

    def change(self, factor: Factor) -> str:
        """Code that holds a factor, in the terms of the framework that the script computes with,
        or else the launch line; empty where there is neither."""
        return code(factor, self.frameworks, self.backend) or line(
            together(launching(factor, self.frameworks)), self.subject.started
        )

    def seedings(self, guilt: Guilt) -> tuple[record.Seeding, ...]:
        """The seeds that the script gives, as far as they bear on this cause: those of the same
        generator, those of others (given in time, so that this one is what is missing), and, for
        a cause that is no generator, those that are another in every run."""
        factor, parting = guilt.factor, [self.by_id[i] for i in guilt.parting]
        given = evidence.seeds_given(self.laboratory.trials, parting)
        generators = by_name(factor).group == "generators"
        found: list[record.Seeding] = []
        for seed, varies in given:
            late = seed.factor == factor and bool(seed.before)
            if not generators and not varies:
                continue
            if generators and seed.factor != factor and (varies or seed.before):
                continue
            site = self.sites.site(seed.site, seed.call, seed.count)
            before = [
                self.sites.site(b.site, b.detail, 1) for b in seed.before if b.site is not None
            ]
            fault: Literal["late", "varies", "none"] = "late" if late else "none"
            found.append(
                record.Seeding(
                    call=seed.call,
                    site=site,
                    fault="varies" if varies else fault,
                    before=tuple(before) if late else (),
                    factor=seed.factor,
                )
            )
        order = {"late": 0, "varies": 1, "none": 2}
        return tuple(sorted(found, key=lambda s: order[s.fault]))

    def places(self, factor: str) -> Places:
        """Every place of a cause, and whether some sighting has none in the user's code."""
        seen = evidence.sightings_of(factor, self.laboratory.trials)
        return Places(self.sites.of(seen), any(s.site is None for s in seen))

    def all_places(self, guilt: Guilt) -> Places:
        """The same, with every seed that bears on it."""
        return dataclasses.replace(self.places(guilt.factor), seedings=self.seedings(guilt))

    def programs(self, factor: str) -> tuple[str, ...]:
        """The scripts that draw from a generator, beside the one that was recorded, for which an
        empty name stands."""
        subject = self.laboratory.settings.subject
        own = self.sites.shown(str((subject.cwd / subject.script).resolve()))
        recorded = self.sites.shown(self.launched) if self.launched else own
        found = evidence.programs(factor, self.laboratory.trials)
        named = [self.sites.shown(program) if program else own for program in sorted(found)]
        return tuple(dict.fromkeys("" if name == recorded else name for name in named))

    @property
    def launched(self) -> str:
        """The script that was recorded, where the subject starts it; empty elsewhere."""
        return next((t.launched for t in self.laboratory.trials if t.launched), "")

    def _spread(self, ids: Sequence[str]) -> dict[str, record.Spread]:
        done = [self.by_id[i] for i in ids if self.by_id[i].whole]
        if len(done) < 2:
            return {}
        found = {}
        for name in done[0].metrics:
            values = [t.metrics[name] for t in done if math.isfinite(t.metrics.get(name, math.nan))]
            if len(values) == len(done):
                found[name] = record.Spread(
                    sd=stats.standard_deviation(values), min=min(values), max=max(values)
                )
        return found

    # -- trials

    def trial_records(self) -> tuple[record.Trial, ...]:
        return tuple(self._trial(trial) for trial in self.laboratory.trials)

    def _trial(self, trial: Trial) -> record.Trial:
        plan: dict[str, record.Arm] = dict.fromkeys(self.laboratory.factors, "free")
        plan |= trial.held
        return record.Trial(
            id=trial.id,
            plan=plan,
            outcome=trial.outcome or "killed",
            seconds=trial.seconds,
            checkpoints=len(trial.checkpoints),
            question=trial.question,
            exit_code=trial.exit_code,
            peak_memory=trial.peak_memory,
            metrics={k: v for k, v in trial.metrics.items() if math.isfinite(v)},
            note=trial.remark,
            forked=bool(trial.parent),
            at_horizon=trial.course.reached,
            stdout_tail=trial.tail("stdout.log"),
            stderr_tail=trial.tail("stderr.log"),
            machine=self._machine(trial),
            isolation=self._isolation(trial),
            gpus=trial.gpus,
            released=releasing.released(trial),
        )

    def _machine(self, trial: Trial) -> int | None:
        """Of a trial of an earlier session, the machine of that name, where it is there again."""
        if trial.machine is not None or not trial.host:
            return trial.machine
        kind = self.laboratory.settings.machine
        found = enumerate(self.laboratory.executor.machines)
        return next((n for n, m in found if (m.host, m.kind) == (trial.host, kind)), None)

    def _isolation(self, trial: Trial) -> str:
        executor, number = self.laboratory.executor, self._machine(trial)
        return executor.isolation if number is None else executor.machines[number].isolation

    def sensitivities(self) -> tuple[record.Sensitivity, ...]:
        """Factors whose pin shifts the result: two plans that agree, apart by that pin alone."""
        plans: dict[frozenset[str], list[Trial]] = {}
        for trial in (t for t in self.laboratory.completed() if t.counts):
            plans.setdefault(frozenset(trial.held), []).append(trial)
        # Not by their witnesses: a trial whose reference was lost is compared with none.
        steady = {
            held: group
            for held, group in plans.items()
            if len(group) > 1
            and self._holds(held)
            and all(t.witness is None and t.checkpoints == group[0].checkpoints for t in group)
        }
        found: dict[str, record.Sensitivity] = {}
        for held, group in steady.items():
            for more, others in steady.items():
                if len(more - held) != 1 or held - more:
                    continue
                (factor,) = more - held
                if group[0].checkpoints != others[0].checkpoints:
                    found[factor] = record.Sensitivity(
                        factor=factor,
                        trials=tuple(t.id for t in [*group, *others]),
                        explanation="pinning it gives another result, the same in every run",
                    )
        return tuple(found.values())

    def _holds(self, names: frozenset[str]) -> bool:
        """Whether pinning these is known to hold all causes. With one free, some trials may agree
        by chance, and are the same in every run no more than others."""
        causes = {guilt.factor for guilt in self.finding.guilty}
        return any(names.issuperset(plan) for plan in (causes, *self.finding.alternatives))
