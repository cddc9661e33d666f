"""Building: every artifact of a plan, published together or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from lambdabuild.errors import UsageError
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.events import Event
from lambdabuild.model.limits import Finding, check_zipped, judged
from lambdabuild.model.plan import ExternalPlan
from lambdabuild.model.report import Artifact, ExternalLayer, Kind, Provenance, Report, SplitPart, distribution_shares
from lambdabuild.model.split import split_tree, zipped_size
from lambdabuild.model.target import Target
from lambdabuild.model.tree import SOURCES, Tree
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.prepare import Prepared, prepare
from lambdabuild.steps.collect import find_handler
from lambdabuild.steps.publish import Written, staging
from lambdabuild.zipformat import COMPRESSOR


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
        prepared = prepare(order, machines)
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
    prepared = prepare(order, machines)
    return tuple(
        SplitPart(
            name=draft.name,
            zipped_size=zipped_size(draft.tree),
            unzipped_size=draft.tree.unzipped_size,
            owners=tuple(sorted(draft.tree.shares())),
        )
        for draft in _drafts(prepared, order)
    )


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


def _drafts(prepared: Prepared, order: Order) -> Iterator[_Draft]:
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


def _artifact(draft: _Draft, written: Written, prepared: Prepared, machines: Machines) -> Artifact:
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
