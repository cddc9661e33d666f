"""Verification of what a build made, before it is published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from lambdabuild.errors import MachineError
from lambdabuild.model.limits import Finding, judged
from lambdabuild.model.report import Artifact
from lambdabuild.pipeline.drafts import Draft
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.prepare import Prepared, prepare
from lambdabuild.pipeline.refusals import environs_of, find_refused, is_proven, stackings
from lambdabuild.steps.publish import Stage
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.builders.sandbox import Sandboxes
    from lambdabuild.model.removal import Contents
    from lambdabuild.model.verification import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What came of it."""

    verification: Verification | None = None
    """None where nothing was tried."""
    why_not: str | None = None
    """The reason, where it is worth a note."""
    findings: tuple[Finding, ...] = ()


def verify_built(
    artifacts: Sequence[Artifact],
    stage: Stage,
    drafts: Iterable[Draft],
    *,
    prepared: Prepared,
    order: Order,
    machines: Machines,
) -> Verified:
    """Try the artifacts as the order has it. They are in the stage, where ``drafts`` tells of them, or stand in the
    output folder.

    Raises PolicyError for what fails, and MachineError where it is asked for and cannot be done.
    """
    if order.verify == "never":
        return Verified()
    planned = {one.file: one for one in prepared.whole.artifacts}
    written = {draft.file: draft for draft in drafts}
    cache, environs = machines.cache, environs_of(order.config)
    every = tuple(stackings(artifacts, environs))

    refused = [(one.artifact.file, found) for one in every if (found := find_refused(one, cache)) is not None]
    due = bool(refused) or not all(is_proven(one, cache) for one in every)
    sandboxes = _find_sandboxes(artifacts, prepared, order, machines, due=due)
    if sandboxes is None or isinstance(sandboxes, str):
        again = [refusal.finding(file) for file, found in refused for refusal in found.refusals]
        return Verified(why_not=sandboxes, findings=tuple(judged(dict.fromkeys(again), tolerant=False)))
    from lambdabuild.pipeline.contents import find_contents  # these for what is tried
    from lambdabuild.pipeline.verify import Bench, verify
    from lambdabuild.steps.verify import TIMEOUT

    for artifact in artifacts:
        stage.borrow(artifact.file)

    @lru_cache(maxsize=1)
    def with_layers() -> Prepared:
        return prepare(order, machines) if prepared.alike else prepared  # where only code was edited they were not read

    def describe(artifact: Artifact) -> Contents:
        draft, known = written.get(artifact.file), with_layers()
        source, tree = (draft.source, draft.tree) if draft else (artifact.file, known.made.attached[artifact.file])
        return find_contents(planned[source], tree, known, order)

    bench = Bench(
        sandboxes=sandboxes,
        cache=cache,
        describe=describe,
        timeout=TIMEOUT,
        remember=True,
        repeat=order.verify == "auto",
        environs=environs,
        listen=machines.listen,
    )
    verification, findings = verify(artifacts, stage.folder, bench, chosen=lambda artifact: True)
    return Verified(verification=verification, findings=tuple(judged(findings, tolerant=False)))


def _find_sandboxes(
    artifacts: Iterable[Artifact], prepared: Prepared, order: Order, machines: Machines, *, due: bool
) -> Sandboxes | str | None:
    """Where to try; or why that cannot be, None where nobody asked. What is ``due`` is tried though nothing was
    installed: it was refused, or what installed it ended before it was tried."""
    builders = {one.provenance.builder for one in artifacts}
    by_docker = "docker" in builders or (builders <= {"none"} and machines.builder.name in ("docker", "auto"))
    if machines.sandboxes is None or (order.verify == "auto" and not by_docker):
        return None
    if order.verify == "auto" and not due and not any(one.asked for one in prepared.made.installed.values()):
        return "nothing was installed, so no Engine was asked (--verify tries the archives)"
    try:
        sandboxes = machines.sandboxes()
        for target in prepared.plan.targets:
            if order.verify == "auto" and not sandboxes.at_hand(target):
                return f"the engine has no {target} image (--verify pulls it)"
            sandboxes.make(target)
    except MachineError as error:
        if order.verify == "always":
            raise
        return error.message
    return sandboxes
