"""Building: every artifact of a plan, published together or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from lambdabuild.ledger import adopt, written
from lambdabuild.model.choices import Upload
from lambdabuild.model.events import Event
from lambdabuild.model.limits import Finding, check_zipped, judged
from lambdabuild.model.plan import FunctionPlan
from lambdabuild.model.report import Artifact, Report, SplitPart
from lambdabuild.model.split import zipped_size
from lambdabuild.pipeline.drafts import Draft, as_artifact, compressed, each_draft, kept_in
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.pipeline.outline import outline_of
from lambdabuild.pipeline.prepare import Prepared, prepare
from lambdabuild.pipeline.refusals import environs_of, find_refused, note_refusals, stackings
from lambdabuild.pipeline.reuse import Earlier, Memory, recall, remember, take
from lambdabuild.pipeline.sidebyside import side_by_side
from lambdabuild.pipeline.verifybuilt import Verified, verify_built
from lambdabuild.steps.collect import find_handler
from lambdabuild.steps.publish import Published, Stage, Written, check_places, staging
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.model.slimming import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """The artifacts of a plan, before it is told of them."""

    prepared: Prepared
    made: tuple[Artifact, ...]
    stands: tuple[Earlier, ...]
    kept: Mapping[str, tuple[Kept, ...]]
    """Of what was made, by file."""
    findings: tuple[Finding, ...]
    verified: Verified

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """In the order of the plan."""
        places = {one.name: place for place, one in enumerate(self.prepared.whole.made)}
        every = (*self.made, *(one.artifact for one in self.stands))
        return tuple(sorted(every, key=lambda artifact: places[artifact.part_of or artifact.name]))


def build(order: Order, machines: Machines) -> Report:
    """Make and publish every artifact of the plan, or none.

    Raises LambdaBuildError; whatever it raises, the artifacts of earlier builds are as they were.
    """
    started = time.monotonic()
    known = recall(machines.cache, order.output)
    check_places(order.output, (one.file for one in order.plan.made))
    _check_handlers(order, _reusable(known, order, machines))
    waited = False

    def wait(what: str) -> None:
        nonlocal waited
        waited = True
        machines.listen(Event(phase="wait", text=f"waiting for {what}"))

    with (
        machines.cache.in_use(waiting=partial(wait, "lambdabuild cache prune or clear to end")),
        staging(order.output, waiting=partial(wait, f"another build into {order.output}")) as stage,
    ):
        known = recall(machines.cache, order.output, known=None if waited else known)
        built = _build(order, machines, stage, _reusable(known, order, machines))
        published = stage.commit(built.artifacts, clean=order.clean, vouched=known.vouches, configured=order.configured)
        if not order.split:
            _remember(built, known, order, machines)
    return _report(built, published, order, seconds=time.monotonic() - started)


def _reusable(known: Memory, order: Order, machines: Machines) -> Memory:
    """What is known of the folder, less what may not stand as it is: that is what verification has refused."""
    if order.split or machines.resolver.upgrade or order.verify == "always":
        return Memory()
    if order.verify == "never":
        return known
    every = stackings([one.artifact for one in known.earlier.values()], environs_of(order.config))
    return known.without({one.artifact.file for one in every if find_refused(one, machines.cache) is not None})


def _build(order: Order, machines: Machines, stage: Stage, memory: Memory) -> _Built:
    """Write what does not stand into the stage, and try it."""
    prepared = prepare(order, machines, memory)
    drafts = compressed(tuple(each_draft(prepared, order)), machines)
    machines.listen(Event(phase="assemble", text="writing archives"))
    workers = 1 if len(prepared.alike) == len(drafts) else os.cpu_count() or 1  # of code alone: small
    archives = side_by_side(drafts, lambda draft: _write(draft, stage, memory, order), workers=workers)
    made = tuple(as_artifact(*one, prepared, order, machines) for one in zip(drafts, archives, strict=True))
    stands = tuple(memory.earlier[one.file] for one in prepared.whole.made if one.file not in prepared.trees)
    for one in stands:
        adopt(one.sources | one.archive)
    artifacts = [*made, *(one.artifact for one in stands)]
    zipped = judged(_zipped(artifacts, order.upload), tolerant=order.tolerant)
    attached = {one.file for one in prepared.plan.all_layers}
    used = [one.artifact for one in stands if one.artifact.file in attached]
    verified = verify_built([*made, *used], stage, drafts, prepared=prepared, order=order, machines=machines)
    if order.verify != "never":
        note_refusals(stackings(artifacts, environs_of(order.config)), machines.cache)
    return _Built(
        prepared=prepared,
        made=made,
        stands=stands,
        kept={draft.file: kept_in(draft, prepared) for draft in drafts},
        findings=(*prepared.findings, *zipped, *verified.findings),
        verified=verified,
    )


def _write(draft: Draft, stage: Stage, memory: Memory, order: Order) -> Written:
    """The archive of a draft, which is left where it stands when it would have the same bytes."""
    earlier = memory.earlier.get(draft.file)
    if earlier is not None and earlier.artifact.content_digest == draft.tree.content_digest:
        same = earlier.artifact.provenance.compressor == draft.compressor and earlier.epoch == order.epoch
        if same and memory.stands(draft.file):
            return Written(sha256=earlier.artifact.sha256, size=earlier.artifact.zipped_size)
    return stage.write(draft.file, draft.tree.members, epoch=order.epoch)


def _remember(built: _Built, known: Memory, order: Order, machines: Machines) -> None:
    """For the next build into this folder, what these artifacts were made from."""
    prepared = built.prepared
    taken = {file: take(ledger) for file, ledger in prepared.collector.ledgers.items()}
    planned, attached = {one.file: one for one in prepared.plan.made}, prepared.made.attached
    made = []
    for artifact in built.made:
        archive = written(order.output / artifact.file, artifact.sha256)
        plan = planned[artifact.file]
        inside = plan.bundled if isinstance(plan, FunctionPlan) else ()
        around = plan.attached_layers if isinstance(plan, FunctionPlan) else ()
        read = [taken[one.file] for one in (plan, *inside)]
        if None in read:
            continue
        code = prepared.collector.codes[artifact.file]
        sources = {path: looks for one in read if one is not None for path, looks in one.items()}
        adopt(sources | archive)
        made.append(
            Earlier(
                fingerprint=prepared.fingerprints[artifact.file],
                sources=sources,
                layers={layer.file: prepared.digests[layer.file] for layer in around},
                archive=archive,
                artifact=artifact,
                epoch=order.epoch,
                kept=built.kept[artifact.file],
                left_out=code.collected.left_out,
                said=prepared.said[artifact.file],
                outline=prepared.alike[artifact.file].outline
                if artifact.file in prepared.alike
                else outline_of(artifact, code, ((layer.root, attached[layer.file]) for layer in around)),
            )
        )
    remember(machines.cache, order.output, made, memory=known)


def _report(built: _Built, published: Published, order: Order, *, seconds: float) -> Report:
    prepared = built.prepared
    fresh = sum(one.fresh for one in prepared.made.installed.values())
    stands = {one.artifact.file: one for one in built.stands}
    kept = {**built.kept, **{file: one.kept for file, one in stands.items()}}
    left_out = {file: one.left_out for file, one in stands.items()}
    left_out |= {one.file: prepared.collector.codes[one.file].collected.left_out for one in prepared.plan.functions}
    return Report(
        output=str(order.output),
        artifacts=built.artifacts,
        findings=built.findings,
        left_out={file: modules for file, modules in left_out.items() if modules},
        unconfigured=published.unconfigured,
        replaced=published.replaced,
        removed=published.removed,
        kept={file: of_file for file, of_file in kept.items() if of_file},
        cached=prepared.distributions - fresh,
        installed=fresh,
        seconds=seconds,
        targets=tuple(map(str, prepared.whole.targets)),
        verification=built.verified.verification,
        unverified=built.verified.why_not,
    )


def _check_handlers(order: Order, memory: Memory) -> None:
    """Before anything else is done: that the handlers are there of which the sources may have changed."""
    for function in order.plan.functions:
        if not memory.has_same_sources(function.file):
            find_handler(order.project, function.sources, function.target)


def propose_split(order: Order, machines: Machines) -> tuple[SplitPart, ...]:
    """The layers of the plan as parts that fit the direct upload; nothing is written but the cache."""
    with machines.cache.in_use():
        return tuple(
            SplitPart(
                name=draft.name,
                zipped_size=zipped_size(draft.tree),
                unzipped_size=draft.tree.unzipped_size,
                owners=tuple(sorted(draft.tree.shares())),
            )
            for draft in each_draft(prepare(order, machines), order)
        )


def _zipped(artifacts: Iterable[Artifact], upload: Upload | None) -> Iterator[Finding]:
    for one in artifacts:
        layer = one.name if one.kind == "layer" else None
        yield from check_zipped(one.sized(), one.zipped_size, upload, layer=layer, fat=one.kind == "fat-function")
