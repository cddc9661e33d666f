"""Verification of what a build made, before it is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambdabuild.errors import MachineError
from lambdabuild.model.limits import Finding, judged
from lambdabuild.model.removal import Contents
from lambdabuild.model.report import Artifact
from lambdabuild.model.tree import Tree
from lambdabuild.model.verification import Verification
from lambdabuild.pipeline.contents import find_contents
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.prepare import Prepared
from lambdabuild.pipeline.verify import Bench, verify
from lambdabuild.steps.publish import Stage
from lambdabuild.steps.verify import TIMEOUT

if TYPE_CHECKING:
    from lambdabuild.builders.sandbox import Sandboxes


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
    contents: Mapping[str, tuple[str, Tree]],
    *,
    prepared: Prepared,
    order: Order,
    machines: Machines,
) -> Verified:
    """Try the artifacts as the order has it. They are in the stage or stand in the output folder; ``contents`` has the
    archive of the plan and the tree of each.

    Raises PolicyError for what fails, and MachineError where it is asked for and cannot be done.
    """
    planned = {one.file: one for one in prepared.whole.artifacts}

    def describe(artifact: Artifact) -> Contents:
        source, tree = contents[artifact.file]
        return find_contents(planned[source], tree, prepared, order)

    sandboxes = _find_sandboxes(prepared, order, machines)
    if sandboxes is None or isinstance(sandboxes, str):
        return Verified(why_not=sandboxes)
    for artifact in artifacts:
        stage.borrow(artifact.file)
    bench = Bench(
        sandboxes=sandboxes,
        cache=machines.cache,
        describe=describe,
        timeout=TIMEOUT,
        remember=True,
        listen=machines.listen,
    )
    verification, findings = verify(artifacts, stage.folder, bench, chosen=lambda artifact: True)
    return Verified(verification=verification, findings=tuple(judged(findings, tolerant=False)))


def _find_sandboxes(prepared: Prepared, order: Order, machines: Machines) -> Sandboxes | str | None:
    """Where to try; or why that cannot be, None where nobody asked."""
    builders = {one.builder for one in prepared.installed.values()}
    by_docker = "docker" in builders or (builders <= {"none"} and machines.builder.name in ("docker", "auto"))
    if order.verify == "never" or machines.sandboxes is None or (order.verify == "auto" and not by_docker):
        return None
    if order.verify == "auto" and not any(one.asked for one in prepared.installed.values()):
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
        return error.message if "docker" in builders else None
    return sandboxes
