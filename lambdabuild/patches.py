"""Files to patches: what the cache lacks is transformed where the builder works, packed on all cores, and kept."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from lambdabuild.builders.base import Builder, Kind, Transformation, Untransformed
from lambdabuild.cache import Cache
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.facts import Facts, merge
from lambdabuild.model.patch import NOTES, Patch, patch_key
from lambdabuild.model.segment import Member, Segment, Slice
from lambdabuild.model.target import Target
from lambdabuild.values import dataclass
from lambdabuild.zipformat import COMPRESSOR, each_with_content, pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one patch is made from."""

    owner: str
    files: tuple[Member, ...]
    """By the paths that they have in the transformation."""
    beside: tuple[Member, ...] = ()
    """Files that those need."""


def ensure_patches(
    kind: Kind,
    pieces: Sequence[Piece],
    target: Target,
    *,
    path_of: Callable[[str], str],
    builder: Builder,
    cache: Cache,
    listen: Listener,
) -> tuple[Patch, ...]:
    """The patch of every piece; ``path_of`` names the file that is made of another.

    Raises what ``Builder.transform`` raises.
    """
    if not pieces:
        return ()
    transformer = builder.transformer(kind, target, listen=listen)
    key_of = partial(patch_key, kind, runtime=target.runtime.name, transformer=transformer, compressor=COMPRESSOR)
    keys = [key_of(piece.files, piece.beside) for piece in pieces]
    found = _find(cache, keys)
    if len(found) < len(set(keys)):

        def waiting() -> None:
            listen(Event(phase="wait", text="waiting for another build that transforms the same files"))

        with cache.building([key for key in keys if key not in found], waiting=waiting):
            found |= _find(cache, [key for key in keys if key not in found])
            missing = {key: piece for key, piece in zip(keys, pieces, strict=True) if key not in found}
            if missing:
                found |= _make(kind, missing, target, path_of=path_of, builder=builder, cache=cache, listen=listen)
    return tuple(_patch(found[key], piece.owner) for key, piece in zip(keys, pieces, strict=True))


def _find(cache: Cache, keys: Iterable[str]) -> dict[str, Segment]:
    return {key: segment for key in dict.fromkeys(keys) if (segment := cache.find(key)) is not None}


def _make(
    kind: Kind,
    missing: Mapping[str, Piece],
    target: Target,
    *,
    path_of: Callable[[str], str],
    builder: Builder,
    cache: Cache,
    listen: Listener,
) -> dict[str, Segment]:
    pieces = tuple(missing.values())
    modes = {(room, member.path): member.mode for room, piece in enumerate(pieces) for member in piece.files}
    count = len(modes)
    text = f"{'compiling' if kind == 'compile' else 'stripping'} {count} file{'s' * (count != 1)} for {target}"
    listen(Event(phase=kind, text=text))
    order = Transformation(kind=kind, target=target, files=_each_file(pieces))
    drafts = [_Draft() for _ in pieces]
    with cache.scratch() as scratch, (scratch / "spool").open("w+b") as spool:
        with builder.transform(order, listen=listen) as outcome, ThreadPoolExecutor(os.cpu_count()) as pool:
            pending: deque[tuple[int, Future[tuple[Member, Facts]]]] = deque()
            for file in outcome.files:
                if file.content is None:
                    drafts[file.room].notes[file.path] = str(file.note)
                    continue
                work = pool.submit(_read, path_of(file.path), modes[file.room, file.path], file.content)
                pending.append((file.room, work))
                while len(pending) > 4 * (os.cpu_count() or 1):
                    _settle(pending, drafts, spool)
            while pending:
                _settle(pending, drafts, spool)
        spool.flush()
        return {
            key: cache.store(key, draft.segment(piece.owner, outcome.version))
            for (key, piece), draft in zip(missing.items(), drafts, strict=True)
        }


def _each_file(pieces: Sequence[Piece]) -> Iterator[Untransformed]:
    for room, piece in enumerate(pieces):
        for member, content in each_with_content(piece.files):
            yield Untransformed(room=room, path=member.path, content=content)
        for member, content in each_with_content(piece.beside):
            yield Untransformed(room=room, path=member.path, content=content, beside=True)


def _read(path: str, mode: int, content: bytes) -> tuple[Member, Facts]:
    from lambdabuild.inspection import inspect  # only for what is made anew

    return pack(path, mode, content), inspect(path, content)


class _Draft:
    """A patch in the making."""

    def __init__(self) -> None:
        self.members: dict[str, tuple[Member, Facts]] = {}
        self.notes: dict[str, str] = {}

    def segment(self, owner: str, version: str) -> Segment:
        """The patch as the cache holds it."""
        made = [self.members[path] for path in sorted(self.members, key=str.encode)]
        notes = pack(NOTES, 0o644, json.dumps(self.notes, sort_keys=True).encode())
        return Segment(
            name=owner,
            version=version,
            requires=(),
            members=(*(member for member, _ in made), notes),
            facts=merge(facts for _, facts in made),
        )


def _settle(pending: deque[tuple[int, Future[tuple[Member, Facts]]]], drafts: list[_Draft], spool: BinaryIO) -> None:
    """Move the first of what is packed from memory to the spool."""
    room, future = pending.popleft()
    member, facts = future.result()
    assert isinstance(member.data, bytes)
    moved = replace(member, data=Slice(Path(spool.name), spool.tell()))
    spool.write(member.data)
    drafts[room].members[member.path] = moved, facts


def _patch(segment: Segment, owner: str) -> Patch:
    """What was made of these files for whichever owner: two versions of a distribution may share them."""
    *members, notes = segment.members
    ((_, content),) = each_with_content([notes])
    return Patch(
        owner=owner,
        version=segment.version,
        members=tuple(members),
        notes=json.loads(content),
        facts=segment.facts,
    )
