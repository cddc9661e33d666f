"""Pins to segments: what the cache lacks is installed, deflated as it streams in, grouped by owner, and kept."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from packaging.utils import canonicalize_name

from lambdabuild.builders.base import Builder, Image, Installation, InstalledFile
from lambdabuild.cache import Cache
from lambdabuild.errors import PolicyError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.requirements import Pin
from lambdabuild.model.segment import (
    Member,
    RecordRow,
    Segment,
    Slice,
    format_record,
    launcher_for_runtime,
    parse_record,
    segment_key,
)
from lambdabuild.model.target import Target
from lambdabuild.zipformat import COMPRESSOR, pack

_STRAY = (".lock",)
"""What uv leaves in a target folder that belongs to no distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The segments of the pins, and where they came from."""

    segments: Mapping[Pin, Segment]
    builder: str
    """Name of the builder, ``none`` when there was nothing to install."""
    image: Image | None
    """What they were installed in."""
    fresh: int
    """How many were not in the cache."""


def install(
    pins: Sequence[Pin],
    target: Target,
    *,
    builder: Builder,
    cache: Cache,
    uv_version: str,
    listen: Listener,
) -> Installed:
    """The segment of every pin.

    Raises what ``Builder.install`` raises, and PolicyError when what was installed is not what a RECORD claims.
    """
    if not pins:
        return Installed(segments={}, builder="none", image=None, fresh=0)
    image = builder.image(target, listen=listen)
    digest = image.digest if image else None
    keys = {pin: segment_key(pin, target, uv=uv_version, compressor=COMPRESSOR, image=digest) for pin in pins}
    segments = {pin: segment for pin, key in keys.items() if (segment := cache.find(key)) is not None}
    missing = [pin for pin in pins if pin not in segments]
    wheels = tuple(pin for pin in missing if pin.kind == "wheel")
    rooms = ((wheels,) if wheels else ()) + tuple((pin,) for pin in missing if pin.kind == "sdist")
    while rooms:
        order = Installation(target=target, rooms=rooms)
        with cache.scratch() as scratch, (scratch / "spool").open("w+b") as spool:
            with builder.install(order, listen=listen) as files:
                trees = _deflate(files, order, _Spool(spool, Path(spool.name)), listen)
            spool.flush()
            again: list[Pin] = []
            for room, tree in zip(rooms, trees, strict=True):
                whole, torn = _by_owner(tree, room)
                for pin, members in whole.items():
                    segment = Segment(name=pin.name, version=pin.version, members=members)
                    segments[pin] = cache.store(keys[pin], segment)
                again += torn
        rooms = tuple((pin,) for pin in again)
    return Installed(segments=segments, builder=builder.name, image=image, fresh=len(missing))


@dataclass(slots=True)
class _Tree:
    """What one room holds: members by path, RECORDs by distribution, and hashes from before a rewrite."""

    members: dict[str, Member] = field(default_factory=dict)
    records: dict[str, tuple[str, tuple[RecordRow, ...]]] = field(default_factory=dict)
    original_sha256: dict[str, str] = field(default_factory=dict)


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


def _deflate(files: Iterator[InstalledFile], order: Installation, spool: _Spool, listen: Listener) -> list[_Tree]:
    """Pack every file on all cores while the next arrive; the packed bytes go to the spool, not to memory."""
    trees = [_Tree() for _ in order.rooms]
    workers = os.cpu_count() or 1
    pending: deque[tuple[int, Future[Member]]] = deque()
    seen = 0

    def settle() -> None:
        room, future = pending.popleft()
        member = spool.take(future.result())
        trees[room].members[member.path] = member

    with ThreadPoolExecutor(workers) as pool:
        for file in files:
            seen += len(file.content)
            listen(Event(phase="deflate", text="deflating", done=seen))
            content = _noted(file, trees[file.room], order.target)
            if content is not None:
                mode = 0o755 if file.executable else 0o644
                pending.append((file.room, pool.submit(pack, file.path, mode, content)))
            while len(pending) > 4 * workers:
                settle()
        while pending:
            settle()
    return trees


def _noted(file: InstalledFile, tree: _Tree, target: Target) -> bytes | None:
    """The content to pack; None for what is written later (RECORD) or left out."""
    folder, _, name = file.path.partition("/")
    if folder.endswith(".dist-info") and name == "RECORD":
        distribution = canonicalize_name(folder.removesuffix(".dist-info").rpartition("-")[0])
        tree.records[distribution] = (file.path, parse_record(file.content.decode()))
        return None
    if file.path in _STRAY:
        return None
    if folder == "bin" and name:
        content = launcher_for_runtime(file.content, target.runtime.python)
        if content is not file.content:
            tree.original_sha256[file.path] = hashlib.sha256(file.content).hexdigest()
        return content
    return file.content


def _by_owner(tree: _Tree, pins: Sequence[Pin]) -> tuple[dict[Pin, tuple[Member, ...]], list[Pin]]:
    """Members by pin, and the pins of which another one overwrote a file: they are installed again, alone."""
    claims: dict[str, set[str | None]] = {}
    for _, rows in tree.records.values():
        for row in rows:
            claims.setdefault(row.path, set()).add(row.sha256)
    whole, torn = {}, []
    for pin in pins:
        if pin.name not in tree.records:
            raise PolicyError(f"{pin}: the installed tree has no RECORD of it, so its files cannot be told")
        path, rows = tree.records[pin.name]
        bad = [row for row in rows if not _holds(row, tree)]
        if any(len(claims[row.path]) == 1 for row in bad):
            raise PolicyError(
                f"{pin}: {bad[0].path} is not the file that its RECORD claims",
                hint=f"the wheel is damaged or was changed; choose another version of {pin.name}",
            )
        if bad:
            torn.append(pin)
        else:
            whole[pin] = _members(path, rows, tree)
    unowned = sorted(tree.members.keys() - claims.keys())
    if unowned:
        raise PolicyError(
            f"{unowned[0]} was installed, but no RECORD lists it",
            hint="a wheel among these carries files that it does not declare: " + ", ".join(pin.name for pin in pins),
        )
    return whole, torn


def _holds(row: RecordRow, tree: _Tree) -> bool:
    if row.sha256 is None:
        return True
    member = tree.members.get(row.path)
    return member is not None and row.sha256 == tree.original_sha256.get(row.path, member.sha256)


def _members(record: str, rows: Sequence[RecordRow], tree: _Tree) -> tuple[Member, ...]:
    """The members of one distribution with its RECORD in canonical form, after what was rewritten."""
    members = {row.path: tree.members[row.path] for row in rows if row.path in tree.members}
    rewritten = [
        replace(row, sha256=members[row.path].sha256) if row.path in members and row.sha256 else row for row in rows
    ]
    sizes: Mapping[str, int] = {path: member.size for path, member in members.items()}
    members[record] = pack(record, 0o644, format_record(rewritten, sizes).encode())
    return tuple(members[path] for path in sorted(members, key=str.encode))
