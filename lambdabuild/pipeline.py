"""The recipes: what a command does, from a plan to published artifacts, readable from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lambdabuild import configfile
from lambdabuild.builders.base import Builder
from lambdabuild.cache import Cache
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.limits import check_zipped, judged
from lambdabuild.model.lockgraph import only_for_boto3
from lambdabuild.model.plan import FunctionPlan, Plan
from lambdabuild.model.report import Artifact, Kind, Provenance, Report, distribution_shares
from lambdabuild.model.requirements import Pin
from lambdabuild.model.tree import SOURCES, Tree
from lambdabuild.steps.assemble import Content, Own, assemble
from lambdabuild.steps.collect import collect_code, collect_function, find_root
from lambdabuild.steps.install import install
from lambdabuild.steps.publish import Stage, staging
from lambdabuild.steps.resolve import Resolver
from lambdabuild.zipformat import COMPRESSOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a user asks for."""

    project: Path
    config: ProjectConfig
    plan: Plan
    output: Path
    lock: bool
    """Run ``uv lock`` first."""
    clean: bool
    """Remove what earlier builds made."""
    tolerant: bool
    """Limits warn instead of failing (``--skip-validation``)."""
    epoch: int | None
    """SOURCE_DATE_EPOCH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """What the work is done with; the command line makes them."""

    resolver: Resolver
    builder: Builder
    cache: Cache
    uv_version: str
    listen: Listener


def build(order: Order, machines: Machines) -> Report:
    """Make and publish every artifact of the plan, or none.

    Raises LambdaBuildError; whatever it raises, the artifacts of earlier builds are as they were.
    """
    started = time.monotonic()
    plan, listen = order.plan, machines.listen
    for function in plan.functions:
        find_root(order.project, function)
    machines.cache.ensure()

    def waiting() -> None:
        listen(Event(phase="wait", text=f"waiting for another build into {order.output}"))

    with staging(order.output, locks=machines.cache.locks, waiting=waiting) as stage:
        pins = _resolve(order, machines)
        every = {pin for chosen in pins.values() for pin in chosen}
        installed = install(
            sorted(every, key=lambda pin: pin.name),
            plan.target,
            builder=machines.builder,
            cache=machines.cache,
            uv_version=machines.uv_version,
            listen=listen,
        )
        listen(Event(phase="collect", text="collecting sources"))
        contents = {
            layer.name: Content(
                segments=tuple(installed.segments[pin] for pin in pins[layer.name]),
                code=collect_code(order.project, layer, output=order.output),
            )
            for layer in plan.all_layers
        }
        own = {function.name: _own(function, order, pins) for function in plan.functions}
        assembled = assemble(plan, contents, own)
        findings = judged(assembled.findings, tolerant=order.tolerant)
        listen(Event(phase="assemble", text="writing archives"))
        made_with = Provenance(
            builder=installed.builder,
            image_digest=installed.image.digest if installed.image else None,
            uv=machines.uv_version,
            compressor=COMPRESSOR,
        )
        artifacts = [
            _write(draft, assembled.trees[draft.file], stage=stage, order=order, made_with=made_with)
            for draft in _drafts(plan)
        ]
        zipped = [
            finding
            for artifact in artifacts
            for finding in check_zipped(artifact.file, artifact.zipped_size, direct_upload=order.config.direct_upload)
        ]
        findings += judged(zipped, tolerant=order.tolerant)
        stage.commit(artifacts, clean=order.clean)
    return Report(
        output=str(order.output),
        artifacts=tuple(artifacts),
        findings=tuple(findings),
        cached=len(every) - installed.fresh,
        installed=installed.fresh,
        seconds=time.monotonic() - started,
        target=str(plan.target),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What an artifact is, before it has bytes."""

    name: str
    file: str
    kind: Kind
    handler: str | None = None
    layers: tuple[str, ...] = ()


def _drafts(plan: Plan) -> Iterator[_Draft]:
    for layer in plan.layers:
        yield _Draft(name=layer.name, file=layer.file, kind="layer")
    for function in plan.functions:
        kind: Kind = "fat-function" if function.bundled else "function"
        layers = tuple(layer.name for layer in function.attached)
        yield _Draft(name=function.name, file=function.file, kind=kind, handler=function.handler, layers=layers)


def _write(draft: _Draft, tree: Tree, *, stage: Stage, order: Order, made_with: Provenance) -> Artifact:
    members = (entry.member for entry in tree.entries.values())
    sha256, size = stage.write(draft.file, members, epoch=order.epoch)
    return Artifact(
        name=draft.name,
        file=draft.file,
        kind=draft.kind,
        runtime=order.plan.target.runtime.name,
        architecture=order.plan.target.architecture,
        handler=draft.handler,
        layers=draft.layers,
        sha256=sha256,
        content_digest=tree.content_digest,
        zipped_size=size,
        unzipped_size=tree.unzipped_size,
        files=len(tree.entries),
        source_size=tree.shares().get(SOURCES, 0),
        distributions=distribution_shares(tree),
        provenance=made_with,
    )


def _resolve(order: Order, machines: Machines) -> dict[str, tuple[Pin, ...]]:
    """The pins of each layer of the plan; a selection that several share is resolved once."""
    if order.lock:
        machines.listen(Event(phase="resolve", text="uv lock"))
        machines.resolver.lock()
    machines.listen(Event(phase="resolve", text="reading the lock"))
    target = order.plan.target
    resolved = {
        selection: machines.resolver.resolve(selection, target)
        for selection in {layer.selection for layer in order.plan.all_layers}
    }
    return {layer.name: resolved[layer.selection] for layer in order.plan.all_layers}


def _own(function: FunctionPlan, order: Order, pins: Mapping[str, tuple[Pin, ...]]) -> Own:
    """A function's code, and what a fat archive leaves to the runtime: the distributions that only boto3 needs."""
    left = frozenset[str]()
    bundled = {pin for layer in function.bundled for pin in pins[layer.name]}
    if any(pin.name == "boto3" for pin in bundled):
        lock = configfile.read_toml(configfile.find_lock(order.project))
        selections = [layer.selection for layer in function.bundled]
        left = only_for_boto3(lock, order.config.name, selections, bundled, order.plan.target)
    return Own(code=collect_function(order.project, function, output=order.output), left_to_runtime=left)
