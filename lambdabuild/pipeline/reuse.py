"""Artifacts of earlier builds that need not be made again, because nothing that they are made from has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lambdabuild import __version__
from lambdabuild.cache import Cache
from lambdabuild.ledger import Changed, Ledger, find_change
from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.report import Artifact, artifact_document, parse_artifact
from lambdabuild.model.requirements import Pin
from lambdabuild.model.slimming import Kept
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.zipformat import COMPRESSOR

_KIND = "artifacts"
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What is known of an artifact of an earlier build into the same folder."""

    fingerprint: str
    """Of the plan, the distributions and the tools."""
    sources: dict[str, list[Any]]
    """What was read of the project, as a ledger tells it."""
    archive: dict[str, list[Any]]
    """The archive, in the same way."""
    artifact: Artifact
    epoch: int | None
    """SOURCE_DATE_EPOCH."""
    kept: tuple[Kept, ...]
    left_out: tuple[str, ...]

    def stands(self) -> bool:
        """Whether the archive is what was written."""
        return find_change(self.archive) is None

    def has_same_sources(self) -> bool:
        """Whether all that was read of the project is what it was."""
        return find_change(self.sources) is None


NONE: Mapping[str, Earlier] = MappingProxyType({})
"""Nothing is known."""


def recall(cache: Cache, output: Path) -> dict[str, Earlier]:
    """The artifacts of earlier builds into a folder, by file; nothing when the text that tells of them is damaged."""
    try:
        documents = json.loads(cache.find_text(_KIND, _key(output)) or "{}")
        return {file: _parse(document) for file, document in documents.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def remember(cache: Cache, output: Path, artifacts: Iterable[Earlier]) -> None:
    """Keep these for the next build into the folder, beside those that were known of other files."""
    known = recall(cache, output)
    known |= {one.artifact.file: one for one in artifacts}
    standing = {file: one for file, one in known.items() if (output / file).exists()}
    cache.store_text(_KIND, _key(output), json.dumps({file: _document(one) for file, one in standing.items()}))


def take(ledger: Ledger) -> dict[str, list[Any]] | None:
    """What a ledger holds; None when something was changed since it was read."""
    try:
        return ledger.take()
    except Changed:
        return None


def fingerprint_of(
    artifact: LayerPlan | FunctionPlan, pins: Mapping[str, Iterable[Pin]], order: Order, machines: Machines
) -> str:
    """A digest of what an artifact is to be, as far as its sources do not tell; ``pins`` are its own and those of the
    layers that it uses, by owner."""
    distributions = {
        owner: [[pin.kind, pin.name, pin.version, pin.commit or pin.sha256, pin.subdirectory] for pin in of_owner]
        for owner, of_owner in pins.items()
    }
    inputs = [
        *(_FORMAT, __version__, tools(order, machines), repr(artifact), distributions),
        *(str(order.project), order.tolerant, order.config.strict),
    ]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def tools(order: Order, machines: Machines) -> str:
    """What the bytes of an archive depend on besides its members' content and modes."""
    return f"{COMPRESSOR}, uv {machines.uv_version}, {machines.builder.place}, epoch {order.epoch}"


def _key(output: Path) -> str:
    return hashlib.sha256(str(output.resolve()).encode(errors="surrogateescape")).hexdigest()


def _document(earlier: Earlier) -> dict[str, Any]:
    return {
        "fingerprint": earlier.fingerprint,
        "sources": earlier.sources,
        "archive": earlier.archive,
        "artifact": artifact_document(earlier.artifact),
        "epoch": earlier.epoch,
        "kept": [asdict(one) for one in earlier.kept],
        "left_out": earlier.left_out,
    }


def _parse(document: Mapping[str, Any]) -> Earlier:
    return Earlier(
        fingerprint=document["fingerprint"],
        sources=document["sources"],
        archive=document["archive"],
        artifact=parse_artifact(document["artifact"]),
        epoch=document["epoch"],
        kept=tuple(
            Kept(**{**one, "files": tuple(one["files"]), "reasons": tuple(one["reasons"])}) for one in document["kept"]
        ),
        left_out=tuple(document["left_out"]),
    )
