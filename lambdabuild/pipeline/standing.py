"""Verification of what stands in the output folder, as its manifest tells of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.errors import MachineError, PolicyError, UsageError
from lambdabuild.manifest import file_sha256, read_manifest
from lambdabuild.model.limits import Finding
from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.removal import Contents
from lambdabuild.model.report import Artifact
from lambdabuild.model.verification import Verification
from lambdabuild.pipeline.contents import find_contents
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.prepare import prepare
from lambdabuild.pipeline.verify import Bench, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is asked for."""

    output: Path
    names: tuple[str, ...]
    """Of layers and functions; none: all."""
    timeout: float
    """Seconds that an import may take."""
    to_order: Callable[[Artifact], Order]
    """The build of an artifact, to tell what was left out of one that fails; may raise LambdaBuildError."""


def verify_standing(asked: Standing, machines: Machines) -> tuple[Verification, list[Finding]]:
    """Try the artifacts of earlier builds.

    Raises UsageError when there are none of these names, PolicyError for one that was changed since it was built, and
    MachineError where they cannot be tried.
    """
    artifacts = read_manifest(asked.output)
    chosen = _choose(artifacts, asked)
    used = {name for artifact in chosen for name in artifact.layers}
    needed = [one for one in artifacts if one in chosen or (one.kind == "layer" and one.name in used)]
    parts = {one.part_of for one in chosen} - {None}
    needed += [one for one in artifacts if one.part_of in parts and one not in needed]
    for artifact in needed:
        _check(asked.output / artifact.file, artifact)
    if machines.sandboxes is None:
        raise MachineError("there is nothing to try archives in")
    bench = Bench(
        sandboxes=machines.sandboxes(),
        cache=machines.cache,
        describe=lambda artifact: _describe(artifact, asked, machines),
        timeout=asked.timeout,
        remember=False,
        listen=machines.listen,
    )
    machines.cache.ensure()
    with machines.cache.in_use():
        return verify(needed, asked.output, bench, chosen=chosen.__contains__)


def _choose(artifacts: Collection[Artifact], asked: Standing) -> tuple[Artifact, ...]:
    if not artifacts:
        raise UsageError(f"there is nothing to verify in {asked.output}", hint="build first: lambdabuild package")
    known = list(dict.fromkeys(name for one in artifacts for name in (one.name, one.part_of) if name is not None))
    problems = []
    for name in asked.names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f'did you mean "{near[0]}"?' if near else f"what stands there is {', '.join(known)}"
            problems.append(f'no "{name}" was built into {asked.output}; {meant}')
    if problems:
        raise UsageError("\n".join(problems), hint="build it first: lambdabuild package, lambdabuild layer")
    return tuple(one for one in artifacts if not asked.names or {one.name, one.part_of} & set(asked.names))


def _check(path: Path, artifact: Artifact) -> None:
    try:
        changed = file_sha256(path) != artifact.sha256
    except FileNotFoundError:
        raise PolicyError(f"{path} is gone, and the manifest tells of it", hint="build it again") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if changed:
        raise PolicyError(f"{path} was changed since it was built", hint="build it again")


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
