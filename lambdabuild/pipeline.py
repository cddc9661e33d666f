"""The recipes: what a command does, from a plan to published artifacts, readable from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lambdabuild.builders.base import Builder
from lambdabuild.cache import Cache
from lambdabuild.errors import UsageError
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.limits import Finding, check_zipped, judged
from lambdabuild.model.needs import Needs
from lambdabuild.model.plan import ExternalPlan, FunctionPlan, LayerPlan, Plan
from lambdabuild.model.report import Artifact, ExternalLayer, Kind, Provenance, Report, SplitPart, distribution_shares
from lambdabuild.model.runtimes import check_deprecation
from lambdabuild.model.split import split_tree, zipped_size
from lambdabuild.model.target import Target
from lambdabuild.model.tree import SOURCES, Tree
from lambdabuild.steps.assemble import Content, assemble
from lambdabuild.steps.collect import collect_code, collect_sources, find_handler
from lambdabuild.steps.install import Installed, install
from lambdabuild.steps.publish import Written, staging
from lambdabuild.steps.resolve import Resolution, Resolver
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
    split: bool
    """Make several layers of one that is too large for a direct upload."""
    tolerant: bool
    """Limits warn instead of failing (``--skip-validation``)."""
    epoch: int | None
    """SOURCE_DATE_EPOCH."""
    today: date


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
    for function in order.plan.functions:
        find_handler(order.project, function.sources)
    machines.cache.ensure()

    def waiting() -> None:
        machines.listen(Event(phase="wait", text=f"waiting for another build into {order.output}"))

    with staging(order.output, locks=machines.cache.locks, waiting=waiting) as stage:
        prepared = _prepare(order, machines)
        machines.listen(Event(phase="assemble", text="writing archives"))
        artifacts = [
            _artifact(draft, stage.write(draft.file, draft.tree.members, epoch=order.epoch), prepared, machines)
            for draft in _drafts(prepared, order)
        ]
        zipped = judged(_zipped(artifacts, order.config), tolerant=order.tolerant)
        stage.commit(artifacts, clean=order.clean)
    return Report(
        output=str(order.output),
        artifacts=tuple(artifacts),
        findings=(*prepared.findings, *zipped),
        left_out=prepared.left_out,
        cached=sum(len(one.segments) - one.fresh for one in prepared.installed.values()),
        installed=sum(one.fresh for one in prepared.installed.values()),
        seconds=time.monotonic() - started,
        targets=tuple(map(str, prepared.plan.targets)),
    )


def propose_split(order: Order, machines: Machines) -> tuple[SplitPart, ...]:
    """The layers of the plan as parts that fit the direct upload; nothing is written but the cache."""
    machines.cache.ensure()
    prepared = _prepare(order, machines)
    return tuple(
        SplitPart(
            name=draft.name,
            zipped_size=zipped_size(draft.tree),
            unzipped_size=draft.tree.unzipped_size,
            owners=tuple(sorted(draft.tree.shares())),
        )
        for draft in _drafts(prepared, order)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A plan with everything that its archives are written from."""

    plan: Plan
    installed: Mapping[Target, Installed]
    trees: Mapping[str, Tree]
    findings: tuple[Finding, ...]
    left_out: Mapping[str, tuple[str, ...]]


def _prepare(order: Order, machines: Machines) -> _Prepared:
    """Resolve, install, collect and assemble; raises PolicyError for what breaks a limit."""
    resolutions = _resolve(order, machines)
    plan = order.plan.without(_empty(order.plan, resolutions))
    installed = {target: _install(target, resolutions, machines) for target in plan.targets}
    machines.listen(Event(phase="collect", text="collecting sources"))
    layers = {layer.name: _layer_content(layer, order, resolutions, installed) for layer in plan.all_layers}
    functions = {one.name: _function_content(one, order, resolutions, installed) for one in plan.functions}
    assembled = assemble(plan, layers, functions)
    findings = [*_deprecations(plan, order.today), *judged(assembled.findings, tolerant=order.tolerant)]
    left_out = {
        function.file: content.left_out for function in plan.functions if (content := functions[function.name]).left_out
    }
    return _Prepared(plan=plan, installed=installed, trees=assembled.trees, findings=tuple(findings), left_out=left_out)


_Resolutions = Mapping[tuple[Needs, Target], Resolution]


def _resolve(order: Order, machines: Machines) -> _Resolutions:
    """What the needs of the plan come to; what several artifacts share is resolved once."""
    if order.lock:
        machines.listen(Event(phase="resolve", text="uv lock"))
        machines.resolver.lock()
    machines.listen(Event(phase="resolve", text="reading the lock"))
    owners: dict[tuple[Needs, Target], str] = {}
    for layer in order.plan.all_layers:
        owners.setdefault((layer.needs, layer.target), f"layers.{layer.name}")
    for function in order.plan.functions:
        owners.setdefault((function.needs, function.target), f"functions.{function.name}")
    return {
        (needs, target): machines.resolver.resolve(needs, target, owner=owner)
        for (needs, target), owner in owners.items()
    }


def _empty(plan: Plan, resolutions: _Resolutions) -> frozenset[str]:
    """The layers that nobody configured and nothing would be in."""
    return frozenset(
        layer.name
        for layer in plan.all_layers
        if layer.may_be_empty and not resolutions[layer.needs, layer.target].pins
    )


def _install(target: Target, resolutions: _Resolutions, machines: Machines) -> Installed:
    pins = {pin for (_, of), resolution in resolutions.items() if of == target for pin in resolution.pins}
    return install(
        sorted(pins, key=lambda pin: (pin.name, pin.version or "")),
        target,
        builder=machines.builder,
        cache=machines.cache,
        uv_version=machines.uv_version,
        listen=machines.listen,
    )


def _layer_content(
    layer: LayerPlan, order: Order, resolutions: _Resolutions, installed: Mapping[Target, Installed]
) -> Content:
    resolution = resolutions[layer.needs, layer.target]
    return Content(
        segments=tuple(installed[layer.target].segments[pin] for pin in resolution.pins),
        direct=resolution.direct,
        code=collect_code(
            order.project,
            layer.code,
            owner=f"layers.{layer.name}",
            exclude=layer.exclude,
            keep=layer.keep,
            gitignore=layer.gitignore,
            output=order.output,
        ),
    )


def _function_content(
    function: FunctionPlan, order: Order, resolutions: _Resolutions, installed: Mapping[Target, Installed]
) -> Content:
    resolution = resolutions[function.needs, function.target]
    collected = collect_sources(order.project, function.sources, output=order.output)
    return Content(
        segments=tuple(installed[function.target].segments[pin] for pin in resolution.pins),
        direct=resolution.direct,
        code=collected.members,
        left_out=collected.left_out,
    )


def _deprecations(plan: Plan, today: date) -> Iterator[Finding]:
    for runtime in dict.fromkeys(target.runtime for target in plan.targets):
        yield from check_deprecation(runtime, today)


def _zipped(artifacts: list[Artifact], config: ProjectConfig) -> Iterator[Finding]:
    for artifact in artifacts:
        yield from check_zipped(artifact.file, artifact.zipped_size, direct_upload=config.direct_upload)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What an artifact is, before it has bytes."""

    name: str
    file: str
    kind: Kind
    target: Target
    tree: Tree
    handler: str | None = None
    layers: tuple[str, ...] = ()
    external_layers: tuple[ExternalLayer, ...] = ()


def _drafts(prepared: _Prepared, order: Order) -> Iterator[_Draft]:
    for layer in prepared.plan.layers:
        tree = prepared.trees[layer.file]
        parts = (order.split and split_tree(tree, name=layer.file)) or (tree,)
        for number, part in enumerate(parts, start=1):
            name = layer.name if len(parts) == 1 else f"{layer.name}-{number}"
            if name != layer.name and name in order.config.layers:
                raise UsageError(f'{layer.file} would be split into "{name}", which is a layer of its own')
            yield _Draft(name=name, file=f"{name}.zip", kind="layer", target=layer.target, tree=part)
    for function in prepared.plan.functions:
        yield _Draft(
            name=function.name,
            file=function.file,
            kind=function.kind,
            target=function.target,
            tree=prepared.trees[function.file],
            handler=function.sources.handler,
            layers=tuple(layer.name for layer in function.attached),
            external_layers=tuple(
                ExternalLayer(name=layer.name, arn=layer.arn, unzipped_size=layer.unzipped_size)
                for layer in function.attached
                if isinstance(layer, ExternalPlan)
            ),
        )


def _artifact(draft: _Draft, written: Written, prepared: _Prepared, machines: Machines) -> Artifact:
    installed = prepared.installed[draft.target]
    return Artifact(
        name=draft.name,
        file=draft.file,
        kind=draft.kind,
        runtime=draft.target.runtime.name,
        architecture=draft.target.architecture,
        handler=draft.handler,
        layers=draft.layers,
        external_layers=draft.external_layers,
        sha256=written.sha256,
        content_digest=draft.tree.content_digest,
        zipped_size=written.size,
        unzipped_size=draft.tree.unzipped_size,
        files=len(draft.tree.entries),
        source_size=draft.tree.shares().get(SOURCES, 0),
        distributions=distribution_shares(draft.tree),
        provenance=Provenance(
            builder=installed.builder,
            image_digest=installed.image.digest if installed.image else None,
            uv=machines.uv_version,
            compressor=COMPRESSOR,
        ),
    )
