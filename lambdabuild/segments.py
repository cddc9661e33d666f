"""Installed files to segments: packed on all cores as they arrive, then grouped by the RECORD that owns them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from packaging.metadata import parse_email
from packaging.utils import canonicalize_name

from lambdabuild.builders.base import Installation, InstalledFile
from lambdabuild.errors import PolicyError
from lambdabuild.inspection import inspect
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.evidence import of_distribution
from lambdabuild.model.facts import Facts, merge
from lambdabuild.model.requirements import Pin
from lambdabuild.model.segment import (
    Member,
    RecordRow,
    Segment,
    Slice,
    format_record,
    launcher_for_runtime,
    parse_record,
)
from lambdabuild.model.target import Target
from lambdabuild.zipformat import pack

_STRAY = (".lock",)
"""What uv leaves in a target folder that belongs to no distribution."""


_MOST_WAITING = 64_000_000
"""Bytes of files that are in memory to be packed; a file that is larger is packed with none beside it."""


@dataclass(frozen=True, slots=True)
class Made:
    """The segments of an installation, and the pins of which another one overwrote a file."""

    whole: Mapping[Pin, Segment]
    torn: tuple[Pin, ...]
    """To be installed again, each alone."""


def make_segments(files: Iterable[InstalledFile], order: Installation, spool: BinaryIO, *, listen: Listener) -> Made:
    """Pack the files and group them; the members of the segments point into the spool.

    Raises PolicyError when the tree is not what the RECORDs claim.
    """
    trees = _pack(files, order, _Spool(spool, Path(spool.name)), listen)
    spool.flush()
    whole: dict[Pin, Segment] = {}
    torn: list[Pin] = []
    for pins, tree in zip(order.rooms, trees, strict=True):
        for pin, segment in _by_owner(tree, pins):
            if segment is None:
                torn.append(pin)
            else:
                whole[pin] = segment
    return Made(whole, tuple(torn))


@dataclass(slots=True)
class _Metadata:
    """What a ``.dist-info`` folder tells of a distribution."""

    folder: str
    record: tuple[RecordRow, ...] = ()
    requires: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        return self.folder.removesuffix(".dist-info").rpartition("-")[2]


@dataclass(slots=True)
class _Tree:
    """What one room holds: members by path, metadata by distribution, and hashes from before a rewrite."""

    members: dict[str, Member] = field(default_factory=dict)
    facts: dict[str, Facts] = field(default_factory=dict)
    metadata: dict[str, _Metadata] = field(default_factory=dict)
    original_sha256: dict[str, str] = field(default_factory=dict)

    def note(self, file: InstalledFile, target: Target) -> bytes | None:
        """Remember what a file tells; the content to pack, None for what is written later (RECORD) or left out."""
        folder, _, name = file.path.partition("/")
        if folder.endswith(".dist-info"):
            distribution = canonicalize_name(folder.removesuffix(".dist-info").rpartition("-")[0])
            metadata = self.metadata.setdefault(distribution, _Metadata(folder))
            if name == "METADATA":
                metadata.requires = tuple(parse_email(file.content)[0].get("requires_dist", ()))
            if name == "RECORD":
                metadata.record = _record(file)
                return None
        if file.path in _STRAY:
            return None
        if folder == "bin" and name:
            content = launcher_for_runtime(file.content, target.runtime.python)
            if content is not file.content:
                self.original_sha256[file.path] = hashlib.sha256(file.content).hexdigest()
            return content
        return file.content

    def holds(self, row: RecordRow) -> bool:
        """Whether a row of a RECORD tells the truth."""
        if row.sha256 is None:
            return True
        member = self.members.get(row.path)
        return member is not None and row.sha256 == self.original_sha256.get(row.path, member.sha256)


def _record(file: InstalledFile) -> tuple[RecordRow, ...]:
    try:
        return parse_record(file.content.decode())
    except ValueError as error:  # not UTF-8, or a hash that is not base64
        raise PolicyError(f"{file.path} cannot be read: {error}") from error


@dataclass(slots=True)
class _Spool:
    """A temporary file that takes packed members one after the other."""

    file: BinaryIO
    path: Path
    offset: int = 0

    def take(self, member: Member) -> Member:
        """Write a member's data, and give the member pointing to it."""
        assert isinstance(member.data, bytes)
        self.file.write(member.data)
        moved = replace(member, data=Slice(self.path, self.offset))
        self.offset += member.compressed_size
        return moved


@dataclass(frozen=True, slots=True)
class _Packed:
    """A file of a room, read and deflated."""

    room: int
    member: Member
    facts: Facts


def _pack(files: Iterable[InstalledFile], order: Installation, spool: _Spool, listen: Listener) -> list[_Tree]:
    """Pack every file while the next arrive; the packed bytes go to the spool, not to memory.

    A large file holds up none of the small ones behind it: they go to the spool as they are done.
    """
    trees = [_Tree() for _ in order.rooms]
    done: SimpleQueue[Future[_Packed]] = SimpleQueue()
    seen = waiting = left = 0

    def settle() -> None:
        nonlocal waiting, left
        packed = done.get().result()
        waiting, left = waiting - packed.member.size, left - 1
        member = spool.take(packed.member)
        trees[packed.room].members[member.path] = member
        trees[packed.room].facts[member.path] = packed.facts

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file in files:
            seen += len(file.content)
            listen(Event(phase="deflate", text="deflating", done=seen))
            content = trees[file.room].note(file, order.target)
            if content is None:
                continue
            waiting, left = waiting + len(content), left + 1
            pool.submit(_read, file, content).add_done_callback(done.put)
            while waiting > _MOST_WAITING or not done.empty():
                settle()
        while left:
            settle()
    return trees


def _read(file: InstalledFile, content: bytes) -> _Packed:
    mode = 0o755 if file.executable else 0o644
    return _Packed(file.room, pack(file.path, mode, content), inspect(file.path, content))


def _by_owner(tree: _Tree, pins: Sequence[Pin]) -> Iterator[tuple[Pin, Segment | None]]:
    """Each pin with its segment, or with None when another distribution overwrote one of its files."""
    claims: dict[str, set[str | None]] = {}
    for metadata in tree.metadata.values():
        for row in metadata.record:
            claims.setdefault(row.path, set()).add(row.sha256)
    unowned = sorted(tree.members.keys() - claims.keys())
    for pin in pins:
        metadata = tree.metadata.get(pin.name, _Metadata(""))
        if not metadata.record:
            raise PolicyError(f"{pin}: the installed tree has no RECORD of it, so its files cannot be told")
        bad = [row for row in metadata.record if not tree.holds(row)]
        if bad and (len(pins) == 1 or any(len(claims[row.path]) == 1 for row in bad)):
            raise PolicyError(
                f"{pin}: {bad[0].path} is not the file that its RECORD claims",
                hint=f"the wheel is damaged or was changed; choose another version of {pin.name}",
            )
        yield pin, None if bad else _segment(pin, metadata, tree)
    if unowned:
        raise PolicyError(
            f"{unowned[0]} was installed, but no RECORD lists it",
            hint="a wheel among these carries files that it does not declare: " + ", ".join(pin.name for pin in pins),
        )


def _segment(pin: Pin, metadata: _Metadata, tree: _Tree) -> Segment:
    """The segment of one distribution, its RECORD in canonical form, after what was rewritten."""
    members = {row.path: tree.members[row.path] for row in metadata.record if row.path in tree.members}
    rewritten = [
        replace(row, sha256=members[row.path].sha256) if row.path in members and row.sha256 else row
        for row in metadata.record
    ]
    sizes: Mapping[str, int] = {path: member.size for path, member in members.items()}
    facts = of_distribution(merge(tree.facts[path] for path in sorted(members, key=str.encode)), members)
    record = f"{metadata.folder}/RECORD"
    members[record] = pack(record, 0o644, format_record(rewritten, sizes).encode())
    return Segment(
        name=pin.name,
        version=metadata.version,
        requires=metadata.requires,
        members=tuple(members[path] for path in sorted(members, key=str.encode)),
        facts=facts,
    )
