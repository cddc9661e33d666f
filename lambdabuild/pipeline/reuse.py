"""Artifacts of earlier builds that need not be made again, because nothing that they are made from has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdabuild import __version__
from lambdabuild.cache import Cache
from lambdabuild.ledger import Changed, Glance, Ledger, find_change
from lambdabuild.model.documents import artifact_document
from lambdabuild.model.manifestparse import parse_artifact
from lambdabuild.model.report import Artifact
from lambdabuild.model.said import Said, parse_said, said_document
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.model.slimming import Kept

_KIND = "artifacts"
_FORMAT = 4

Outline = Mapping[str, list[str]]
"""Of code, by path: what a file is, and what the checks read of it."""
Taken = dict[str, list[Any]]
"""What was read, as a ledger tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What is known of an artifact of an earlier build into the same folder."""

    fingerprint: str
    """Of what it was to be: the plan, the distributions and the tools."""
    sources: Taken
    """What was read of the project, for a fat function also for its layers."""
    layers: Mapping[str, str]
    """The digests of the content that its attached layers had, by file."""
    archive: Taken
    """The archive."""
    artifact: Artifact
    epoch: int | None
    """SOURCE_DATE_EPOCH."""
    kept: tuple[Kept, ...]
    left_out: tuple[str, ...]
    said: Said
    """What the checks had to say."""
    outline: Outline
    """What they read of its code; empty where they read more than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is known of the artifacts in a folder, and one look at what they were made from."""

    text: str | None = None
    """As it lies in the cache."""
    earlier: Mapping[str, Earlier] = field(default_factory=dict)
    """By file."""
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same for JSON."""
    glance: Glance = field(default_factory=Glance)

    def has_same_sources(self, file: str) -> bool:
        """Whether all that was read of the project for an artifact is what it was."""
        return file in self.earlier and find_change(self.earlier[file].sources, self.glance) is None

    def stands(self, file: str) -> bool:
        """Whether an archive is what was written."""
        return file in self.earlier and find_change(self.earlier[file].archive, self.glance) is None

    def vouches(self, artifact: Artifact) -> bool:
        """Whether an artifact, as a manifest tells of it, is the one that is known here and that stands."""
        known = self.earlier.get(artifact.file)
        return known is not None and known.artifact.sha256 == artifact.sha256 and self.stands(artifact.file)

    def without(self, files: Collection[str]) -> Memory:
        """With nothing known of these archives, so that they are made again."""
        return replace(self, earlier={file: one for file, one in self.earlier.items() if file not in files})

    def find_standing(self, fingerprints: Mapping[str, str]) -> frozenset[str]:
        """The archives that need not be made, as far as is known before any of it is."""
        standing = frozenset(
            file
            for file, fingerprint in fingerprints.items()
            if file in self.earlier and self.earlier[file].fingerprint == fingerprint
            if self.has_same_sources(file) and self.stands(file)
        )
        return standing - self.find_fallen(standing, {})

    def find_fallen(self, standing: Collection[str], made: Mapping[str, str]) -> frozenset[str]:
        """Of archives that would stand, those that do not: layers of which the content comes out as another one now,
        and functions that were made with another content of their layers. ``made`` has the digests of the content of
        layers that this run makes, by file."""
        stood = {file: self.earlier[file].artifact.content_digest for file in standing}
        now = stood | dict(made)
        return frozenset(
            file
            for file in standing
            if now[file] != stood[file]
            or any(now.get(layer, digest) != digest for layer, digest in self.earlier[file].layers.items())
        )


def recall(cache: Cache, output: Path, *, known: Memory | None = None) -> Memory:
    """What is known of a folder; nothing when the text that tells of it is damaged. What was ``known`` before is good
    when it still says the same."""
    text = cache.find_text(_KIND, _key(output))
    if known is not None and known.text == text:
        return known
    try:
        documents = json.loads(text or "{}")
        earlier = {file: _parse(document) for file, document in documents.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return Memory()
    return Memory(text=text, earlier=earlier, documents=documents)


def remember(cache: Cache, output: Path, made: Iterable[Earlier], *, memory: Memory) -> None:
    """Keep these for the next build into the folder, beside those of other files that the memory has."""
    documents = {**memory.documents, **{one.artifact.file: _document(one) for one in made}}
    standing = {file: document for file, document in documents.items() if (output / file).exists()}
    text = json.dumps(standing)
    if text != memory.text:
        cache.store_text(_KIND, _key(output), text)


def take(*ledgers: Ledger) -> Taken | None:
    """What these ledgers hold; None when something was changed since it was read."""
    try:
        return {path: looks for ledger in ledgers for path, looks in ledger.take().items()}
    except Changed:
        return None


def _key(output: Path) -> str:
    # Another version may tell of an artifact in another way.
    return hashlib.sha256(f"{__version__} {_FORMAT} {output.resolve()}".encode(errors="surrogateescape")).hexdigest()


def _document(earlier: Earlier) -> dict[str, Any]:
    return {
        "fingerprint": earlier.fingerprint,
        "sources": earlier.sources,
        "layers": dict(earlier.layers),
        "archive": earlier.archive,
        "artifact": artifact_document(earlier.artifact),
        "epoch": earlier.epoch,
        "kept": [asdict(one) for one in earlier.kept],
        "left_out": earlier.left_out,
        "said": said_document(earlier.said),
        "outline": earlier.outline,
    }


def _parse(document: Mapping[str, Any]) -> Earlier:
    return Earlier(
        fingerprint=document["fingerprint"],
        sources=document["sources"],
        layers=document["layers"],
        archive=document["archive"],
        artifact=parse_artifact(document["artifact"]),
        epoch=document["epoch"],
        kept=tuple(map(_parse_kept, document["kept"])),
        left_out=tuple(document["left_out"]),
        said=parse_said(document["said"]),
        outline={path: [*map(str, of_file)] for path, of_file in document["outline"].items()},
    )


def _parse_kept(document: Mapping[str, Any]) -> Kept:
    from lambdabuild.model.slimming import Kept  # with all that looks for evidence

    return Kept(**{**document, "files": tuple(document["files"]), "reasons": tuple(document["reasons"])})
