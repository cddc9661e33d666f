"""A patch: what a transformation made of the files of one owner, kept beside the segment that it is laid over.

So an option can be turned on and off without an install, and what is not transformed is kept once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lambdabuild.model.facts import Facts, merge, without
from lambdabuild.model.segment import Member, RecordRow, Segment, format_record
from lambdabuild.values import dataclass

PATCH_FORMAT = 2
"""Raised whenever the same input would give other bytes."""
NOTES = "notes.json"
"""The member of a patch's segment in the cache that holds its notes; no transformation makes a file of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Files that replace others of their paths, or are added."""

    owner: str
    version: str
    """Of what made it: an interpreter, strip."""
    members: tuple[Member, ...]
    notes: Mapping[str, str]
    """Why a file is left as it was, by path."""
    facts: Facts = Facts()


def patch_key(
    kind: str,
    files: Iterable[Member],
    beside: Iterable[Member],
    *,
    runtime: str,
    transformer: str,
    compressor: str,
) -> str:
    """The name of a patch in the cache, hex; the members' paths are those of the transformation.

    ``beside`` are the files that the others need, and that are not transformed.
    """
    head = (f"patch {PATCH_FORMAT} {kind}", f"runtime {runtime}", transformer, f"compressor {compressor}")
    digest = hashlib.sha256("".join(f"{line}\n" for line in head).encode())
    for member in files:
        digest.update(f"{member.mode:o} {member.sha256} {member.path}\0".encode())
    for member in beside:
        digest.update(f"beside {member.sha256} {member.path}\0".encode())
    return digest.hexdigest()


def patched(segment: Segment, patch: Patch, record: Iterable[RecordRow]) -> tuple[Segment, str]:
    """The segment with the patch's files in place of its own, and the text of its RECORD, whose rows were these."""
    new = {member.path: member for member in patch.members}
    members = tuple(new.get(member.path, member) for member in segment.members)
    told = [replace(row, sha256=new[row.path].sha256) if row.path in new else row for row in record]
    facts = merge((without(segment.facts, new.keys()), patch.facts))
    return replace(segment, members=members, facts=facts), format_record(told, {m.path: m.size for m in members})
