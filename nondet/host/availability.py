"""Which factors can act here: on this machine, with what the subject's interpreter has."""

from __future__ import annotations

import os

from nondet.guest.factors import REGISTRY
from nondet.host import machine
from nondet.host.subject import Description, Subject
from nondet.record import Environment


def unavailable(
    described: Description, environment: Environment, fixed_addresses: bool | None = None
) -> dict[str, str]:
    """The factors that can't act, with the reason of each. `fixed_addresses`: whether processes can
    be started at such where trials run; None for this machine."""
    if fixed_addresses is None:
        fixed_addresses = machine.can_fix_addresses()
    packages = {name.lower(): version for name, version in described.packages.items()}
    facts: dict[str, object] = {
        "gpus": environment.gpus,
        "cores": environment.cores,
        "environ": user_environment(),
        "fixed_addresses": fixed_addresses,
    }
    for name in ("tensorflow", "keras", "torch", "jax"):
        versions = (packages[p] for p in (name, f"{name}-cpu", f"{name}-gpu") if p in packages)
        facts[name] = next(versions, "?") if described.found.get(name) else None
    reasons = {factor.name: factor.unavailable(facts) for factor in REGISTRY}
    return {name: reason for name, reason in reasons.items() if reason}


def of(subject: Subject) -> dict[str, str]:
    """The factors that can't act on a subject here, with the reason of each."""
    described = subject.description
    return unavailable(described, machine.environment(described.python, described.packages))


def user_environment() -> dict[str, str]:
    """The environment that trials start from: the user's, as it is now."""
    return dict(os.environ)
