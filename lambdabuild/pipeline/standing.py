"""Verification of what stands in the output folder, as its manifest tells of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.errors import MachineError, PolicyError
from lambdabuild.manifest import read_manifest
from lambdabuild.model.built import choose_artifacts
from lambdabuild.model.limits import Finding
from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.removal import Contents
from lambdabuild.model.report import Artifact
from lambdabuild.model.verification import Verification
from lambdabuild.pipeline.contents import find_contents
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.prepare import prepare
from lambdabuild.pipeline.refusals import Environs
from lambdabuild.pipeline.verify import Bench, verify
from lambdabuild.steps.built import check_built


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is asked for."""

    output: Path
    names: tuple[str, ...]
    """Of layers and functions; none: all."""
    configured: Collection[str]
    """The functions that have a table, for hints."""
    timeout: float
    """Seconds that an import may take."""
    environs: Environs
    to_order: Callable[[Artifact], Order]
    """The build of an artifact, to tell what was left out of one that fails; may raise LambdaBuildError."""


def verify_standing(asked: Standing, machines: Machines) -> tuple[Verification, list[Finding]]:
    """Try the artifacts of earlier builds.

    Raises UsageError when there are none of these names, PolicyError for one that is not what was built, and
    MachineError where they cannot be tried.
    """
    artifacts = read_manifest(asked.output)
    chosen = choose_artifacts(artifacts, asked.names, output=str(asked.output), configured=asked.configured)
    used = {name for artifact in chosen for name in artifact.layers}
    needed = [one for one in artifacts if one in chosen or (one.kind == "layer" and one.name in used)]
    parts = {one.part_of for one in chosen} - {None}
    needed += [one for one in artifacts if one.part_of in parts and one not in needed]
    check_built(needed, asked.output, asked.configured)
    if machines.sandboxes is None:
        raise MachineError("there is nothing to try archives in")
    bench = Bench(
        sandboxes=machines.sandboxes(),
        cache=machines.cache,
        describe=lambda artifact: _describe(artifact, asked, machines),
        timeout=asked.timeout,
        remember=False,
        repeat=False,
        environs=asked.environs,
        listen=machines.listen,
    )
    with machines.cache.in_use():
        return verify(needed, asked.output, bench, chosen=chosen.__contains__)


def _describe(artifact: Artifact, asked: Standing, machines: Machines) -> Contents:
    """Make an artifact's content again; raises LambdaBuildError when the project gives another by now."""
    order = asked.to_order(artifact)
    prepared = prepare(order, machines)
    source = artifact.file if artifact.part_of is None else f"{artifact.part_of}.zip"
    planned: tuple[LayerPlan | FunctionPlan, ...] = (*prepared.plan.layers, *prepared.plan.functions)
    for one in planned:
        if one.file == source:
            tree = prepared.trees[source]
            if artifact.part_of is None and tree.content_digest != artifact.content_digest:
                break
            return find_contents(one, tree, prepared, order)
    raise PolicyError("the project has changed since it was built")
