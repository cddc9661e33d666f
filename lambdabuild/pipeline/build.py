"""Building: every artifact of a plan, published together or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lambdabuild.errors import UsageError
from lambdabuild.ledger import adopt, note, recording
from lambdabuild.model.config import ProjectConfig
from lambdabuild.model.events import Event
from lambdabuild.model.limits import Finding, check_zipped, judged
from lambdabuild.model.plan import ExternalPlan
from lambdabuild.model.report import (
    Artifact,
    ExternalLayer,
    Kind,
    Provenance,
    Report,
    SplitPart,
    distribution_shares,
)
from lambdabuild.model.slimming import Kept
from lambdabuild.model.split import split_tree, zipped_size
from lambdabuild.model.target import Target
from lambdabuild.model.transformed import bytecode_size, stripped_symbols
from lambdabuild.model.tree import SOURCES, Tree
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.prepare import Prepared, prepare
from lambdabuild.pipeline.reuse import NONE, Earlier, recall, remember, take
from lambdabuild.pipeline.verifybuilt import verify_built
from lambdabuild.steps.collect import find_handler
from lambdabuild.steps.publish import Stage, Written, staging
from lambdabuild.zipformat import COMPRESSOR


def build(order: Order, machines: Machines) -> Report:
    """Make and publish every artifact of the plan, or none.

    Raises LambdaBuildError; whatever it raises, the artifacts of earlier builds are as they were.
    """
    started = time.monotonic()
    reuses = not (order.split or machines.resolver.upgrade or order.verify == "always")
    _check_handlers(order, recall(machines.cache, order.output) if reuses else NONE)
    machines.cache.ensure()

    def waiting() -> None:
        machines.listen(Event(phase="wait", text=f"waiting for another build into {order.output}"))

    with (
        machines.cache.in_use(waiting=waiting),
        staging(order.output, locks=machines.cache.locks, waiting=waiting) as stage,
    ):
        earlier = recall(machines.cache, order.output) if reuses else NONE
        prepared = prepare(order, machines, earlier)
        machines.listen(Event(phase="assemble", text="writing archives"))
        drafts = tuple(_drafts(prepared, order))
        made = [
            _artifact(draft, _written(draft, stage, earlier.get(draft.file), order), prepared, machines)
            for draft in drafts
        ]
        stands = [earlier[one.file] for one in prepared.whole.made if one.file not in prepared.trees]
        for one in stands:
            adopt(one.sources | one.archive)
        places = {one.name: place for place, one in enumerate(prepared.whole.made)}
        artifacts = sorted(
            [*made, *(one.artifact for one in stands)], key=lambda artifact: places[artifact.part_of or artifact.name]
        )
        zipped = judged(_zipped(artifacts, order.config), tolerant=order.tolerant)
        contents = {file: (file, tree) for file, tree in prepared.attached.items()}
        contents |= {draft.file: (draft.source, draft.tree) for draft in drafts}
        used = [one.artifact for one in stands if one.artifact.file in prepared.attached]
        verified = verify_built([*made, *used], stage, contents, prepared=prepared, order=order, machines=machines)
        stage.commit(artifacts, clean=order.clean)
    fresh = sum(one.fresh for one in prepared.installed.values())
    kept = {draft.file: _kept(draft, prepared) for draft in drafts}
    if not order.split:
        _remember(made, kept, prepared, order, machines)
    return Report(
        output=str(order.output),
        artifacts=tuple(artifacts),
        findings=(*prepared.findings, *zipped, *verified.findings),
        left_out={**prepared.left_out} | {one.artifact.file: one.left_out for one in stands if one.left_out},
        kept={file: of_file for file, of_file in kept.items() if of_file}
        | {one.artifact.file: one.kept for one in stands if one.kept},
        cached=prepared.distributions - fresh,
        installed=fresh,
        seconds=time.monotonic() - started,
        targets=tuple(map(str, prepared.whole.targets)),
        verification=verified.verification,
        unverified=verified.why_not,
    )


def _written(draft: _Draft, stage: Stage, earlier: Earlier | None, order: Order) -> Written:
    """The archive of a draft, which is left where it stands when it would have the same bytes."""
    if earlier is not None and earlier.artifact.content_digest == draft.tree.content_digest:
        same = earlier.artifact.provenance.compressor == COMPRESSOR and earlier.epoch == order.epoch
        if same and earlier.stands():
            return Written(sha256=earlier.artifact.sha256, size=earlier.artifact.zipped_size)
    return stage.write(draft.file, draft.tree.members, epoch=order.epoch)


def _remember(
    made: Iterable[Artifact],
    kept: Mapping[str, tuple[Kept, ...]],
    prepared: Prepared,
    order: Order,
    machines: Machines,
) -> None:
    """For the next build into this folder, what these artifacts were made from."""
    known = []
    for artifact in made:
        with recording() as ledger:
            note(order.output / artifact.file)
        sources, archive = take(prepared.ledgers[artifact.file]), take(ledger)
        if sources is not None and archive is not None:
            adopt(sources | archive)
            known.append(
                Earlier(
                    fingerprint=prepared.fingerprints[artifact.file],
                    sources=sources,
                    archive=archive,
                    artifact=artifact,
                    epoch=order.epoch,
                    kept=kept[artifact.file],
                    left_out=prepared.left_out.get(artifact.file, ()),
                )
            )
    remember(machines.cache, order.output, known)


def _check_handlers(order: Order, earlier: Mapping[str, Earlier]) -> None:
    """Before anything else is done: that the handlers are there of which the sources may have changed."""
    for function in order.plan.functions:
        if function.file not in earlier or not earlier[function.file].has_same_sources():
            find_handler(order.project, function.sources)


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
    source: str
    """The artifact file of the plan that it is, or is a part of."""
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
            yield _Draft(name=name, file=f"{name}.zip", source=layer.file, kind="layer", target=layer.target, tree=part)
    for function in prepared.plan.functions:
        yield _Draft(
            name=function.name,
            file=function.file,
            source=function.file,
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


def _kept(draft: _Draft, prepared: Prepared) -> tuple[Kept, ...]:
    """What is kept by evidence in this part of an artifact of the plan."""
    names = {owner.partition(" ")[0] for owner in draft.tree.shares()}
    return tuple(one for one in prepared.kept.get(draft.source, ()) if one.distribution in names)


def _artifact(draft: _Draft, written: Written, prepared: Prepared, machines: Machines) -> Artifact:
    installed, stripped = prepared.installed[draft.target], prepared.stripped.get(draft.target)
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
        distributions=distribution_shares(draft.tree, draft.target.runtime.python, layer=draft.kind == "layer"),
        provenance=Provenance(
            builder=installed.builder,
            image_digest=installed.image.digest if installed.image else None,
            uv=machines.uv_version,
            compressor=COMPRESSOR,
            bytecode=prepared.interpreters.get(draft.source),
            strip=stripped.version if stripped else None,
        ),
        bytecode_size=bytecode_size(draft.tree) if draft.source in prepared.interpreters else 0,
        symbols=stripped_symbols(draft.tree, stripped.saved, stripped.restored) if stripped else None,
        part_of=draft.source.removesuffix(".zip") if draft.file != draft.source else None,
    )
