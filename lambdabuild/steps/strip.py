"""Symbols: segments whose shared objects are smaller, where that does not break them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from lambdabuild.builders.base import Builder
from lambdabuild.cache import Cache
from lambdabuild.model.events import Listener
from lambdabuild.model.patch import Patch, patched
from lambdabuild.model.requirements import Pin
from lambdabuild.model.segment import Member, Segment, parse_record
from lambdabuild.model.target import Target
from lambdabuild.patches import Piece, ensure_patches
from lambdabuild.values import dataclass
from lambdabuild.zipformat import each_with_content, pack

_SHARED_OBJECT = re.compile(r"\.so(\.[0-9]+)*$")
_GRAFTED = re.compile(r"(^|/)[^/]+\.libs/")
"""Where auditwheel puts libraries that it copies into a wheel. It edits them, and stripped they often do not load;
they come stripped anyhow: of a tree of 683 MB that strip made 562 MB, these folders gave 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    """Segments without symbols."""

    segments: Mapping[Pin, Segment]
    saved: Mapping[str, int]
    """Bytes, by the sha256 of a stripped file."""
    restored: Mapping[str, Mapping[str, str]]
    """Files that strip broke, which are left as they were: by owner and path, with the reason."""
    version: str | None
    """Of strip; None when there was nothing to strip."""


def strip_symbols(
    segments: Mapping[Pin, Segment], target: Target, *, builder: Builder, cache: Cache, listen: Listener
) -> Stripped:
    """Strip the shared objects of distributions, but for those that auditwheel copied into a wheel.

    Raises what ``Builder.transform`` raises; for the host builder that is BuildError, if there is anything to strip.
    """
    affected = [pin for pin, segment in segments.items() if _candidates(segment)]
    patches = ensure_patches(
        "strip",
        [_piece(segments[pin]) for pin in affected],
        target,
        path_of=lambda path: path,
        builder=builder,
        cache=cache,
        listen=listen,
    )
    made = dict(segments)
    saved: dict[str, int] = {}
    for pin, patch in zip(affected, patches, strict=True):
        before = {member.path: member.size for member in segments[pin].members}
        saved |= {member.sha256: before[member.path] - member.size for member in patch.members}
        made[pin] = _laid(segments[pin], patch)
    return Stripped(
        segments=made,
        saved=saved,
        restored={patch.owner: patch.notes for patch in patches if patch.notes},
        version=patches[0].version if patches else None,
    )


def _candidates(segment: Segment) -> tuple[Member, ...]:
    return tuple(
        member for member in segment.members if _SHARED_OBJECT.search(member.path) and not _GRAFTED.search(member.path)
    )


def _piece(segment: Segment) -> Piece:
    files = _candidates(segment)
    others = (member for member in segment.members if _SHARED_OBJECT.search(member.path) and member not in files)
    return Piece(owner=f"{segment.name} {segment.version}", files=files, beside=tuple(others))


def _laid(segment: Segment, patch: Patch) -> Segment:
    """The segment with its patch, its RECORD telling of the new files."""
    if not patch.members:
        return segment
    record = next(member for member in segment.members if re.fullmatch(r"[^/]+\.dist-info/RECORD", member.path))
    ((_, content),) = each_with_content([record])
    made, text = patched(segment, patch, parse_record(content.decode()))
    new = pack(record.path, record.mode, text.encode())
    return replace(made, members=tuple(new if member is record else member for member in made.members))
