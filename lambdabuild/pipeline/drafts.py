"""The archives that trees become, before they have bytes, and the artifacts that are told of them after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lambdabuild.errors import UsageError
from lambdabuild.model.plan import ExternalPlan
from lambdabuild.model.report import Artifact, ExternalLayer, Kind, Provenance, distribution_shares
from lambdabuild.model.split import split_tree, zipped_size
from lambdabuild.model.target import Target
from lambdabuild.model.transformed import bytecode_size, stripped_symbols
from lambdabuild.model.treatment import Compression
from lambdabuild.model.tree import SOURCES, Tree
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.prepare import Prepared
from lambdabuild.steps.publish import Written
from lambdabuild.values import dataclass
from lambdabuild.zipformat import COMPRESSOR, SMALL_COMPRESSOR

if TYPE_CHECKING:
    from lambdabuild.model.slimming import Kept
    from lambdabuild.steps.install import Installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an artifact is, before it has bytes."""

    name: str
    file: str
    source: str
    """The artifact file of the plan that it is, or is a part of."""
    kind: Kind
    target: Target
    tree: Tree
    handler: str | None = None
    compatible_runtimes: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    external_layers: tuple[ExternalLayer, ...] = ()
    compression: Compression
    saved: int | None = None
    """Bytes that deflating anew has saved; None where nothing was."""

    @property
    def compressor(self) -> str:
        return COMPRESSOR if self.compression == "fast" else SMALL_COMPRESSOR


def each_draft(prepared: Prepared, order: Order) -> Iterator[Draft]:
    """The archives of what was prepared, layers in parts where the order has it. Raises UsageError where a part would
    take the name of another layer."""
    for layer in prepared.plan.layers:
        tree = prepared.trees[layer.file]
        parts = (order.split and split_tree(tree, name=layer.file)) or (tree,)
        for number, part in enumerate(parts, start=1):
            name = layer.name if len(parts) == 1 else f"{layer.name}-{number}"
            if name != layer.name and name in order.config.layers:
                raise UsageError(f'{layer.file} would be split into "{name}", which is a layer of its own')
            file = layer.file if len(parts) == 1 else f"{name}.zip"
            yield Draft(
                name=name,
                file=file,
                source=layer.file,
                kind="layer",
                compression=layer.transforms.compression,
                target=layer.target,
                compatible_runtimes=tuple(sorted(target.runtime.name for target in layer.targets)),
                tree=part,
            )
    for function in prepared.plan.functions:
        yield Draft(
            name=function.name,
            file=function.file,
            source=function.file,
            kind=function.kind,
            compression=function.transforms.compression,
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


def compressed(drafts: Sequence[Draft], machines: Machines) -> tuple[Draft, ...]:
    """The drafts, those that are to be small with smaller members."""
    small = {draft.file: draft.tree for draft in drafts if draft.compression == "small"}
    if not small:
        return tuple(drafts)
    from lambdabuild.steps.compress import compress

    trees = compress(small, cache=machines.cache, listen=machines.listen)
    return tuple(
        replace(draft, tree=tree, saved=zipped_size(draft.tree) - zipped_size(tree))
        if (tree := trees.get(draft.file)) is not None
        else draft
        for draft in drafts
    )


def kept_in(draft: Draft, prepared: Prepared) -> tuple[Kept, ...]:
    """What is kept by evidence in this part of an artifact of the plan."""
    names = {owner.partition(" ")[0] for owner in draft.tree.shares()}
    return tuple(one for one in prepared.made.kept.get(draft.source, ()) if one.distribution in names)


def as_artifact(draft: Draft, written: Written, prepared: Prepared, order: Order, machines: Machines) -> Artifact:
    """A draft that has bytes, as reports and the manifest tell of it."""
    ignore_rule = prepared.collector.codes[draft.source].collected.ignore_rule
    if draft.file in prepared.alike:
        return replace(
            prepared.alike[draft.file].artifact,
            sha256=written.sha256,
            content_digest=draft.tree.content_digest,
            zipped_size=written.size,
            unzipped_size=draft.tree.unzipped_size,
            source_size=draft.tree.unzipped_size,
            recompressed=draft.saved,
            ignore_rule=ignore_rule,
        )
    made = prepared.made
    installed, stripped = made.installed[draft.target], made.stripped.get(draft.target)
    return Artifact(
        name=draft.name,
        file=draft.file,
        kind=draft.kind,
        runtime=draft.target.runtime.name,
        architecture=draft.target.architecture,
        handler=draft.handler,
        compatible_runtimes=draft.compatible_runtimes,
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
            builder=installed.builder if draft.source in prepared.needy else "none",
            image_digest=installed.image.digest if installed.image and draft.source in prepared.needy else None,
            uv=machines.resolver.uv_version,
            compressor=draft.compressor,
            bytecode=made.interpreters.get(draft.source),
            strip=stripped.version if stripped else None,
            networked=tuple(_networked(draft, installed, order)),
        ),
        bytecode_size=bytecode_size(draft.tree) if draft.source in made.interpreters else 0,
        symbols=stripped_symbols(draft.tree, stripped.saved, stripped.restored) if stripped else None,
        recompressed=draft.saved,
        ignore_rule=ignore_rule,
        part_of=draft.source.removesuffix(".zip") if draft.file != draft.source else None,
    )


def _networked(draft: Draft, installed: Installed, order: Order) -> Iterator[str]:
    """The distributions in an archive that were built with the network: this machine keeps it from no build."""
    owners = draft.tree.shares()
    for pin, segment in installed.segments.items():
        owner = f"{segment.name} {segment.version}"
        reached = installed.builder == "host" or pin.name in order.config.build.network
        if pin.kind != "wheel" and reached and owner in owners:
            yield owner
