"""Files to patches: what the cache lacks is transformed where the builder works, packed on all cores, and kept."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from lambdabuild.builders.base import Builder, Kind, Transformation, Untransformed
from lambdabuild.cache import KEPT_AT, Cache
from lambdabuild.memberfile import Place, format_members, parse_members
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.facts import Facts, facts_document, merge, parse_facts
from lambdabuild.model.patch import Patch, patch_key
from lambdabuild.model.segment import Member, Slice
from lambdabuild.model.target import Target
from lambdabuild.values import dataclass
from lambdabuild.zipformat import COMPRESSOR, each_with_content, pack

_KIND = "patches"


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
    # What was made of these files is the same for whichever owner: two versions of a distribution may share them.
    return tuple(replace(found[key], owner=piece.owner) for key, piece in zip(keys, pieces, strict=True))


def _find(cache: Cache, keys: Iterable[str]) -> dict[str, Patch]:
    found = ((key, cache.find_bytes(_KIND, key)) for key in dict.fromkeys(keys))
    return {
        key: _parse(content, Place(cache.path(_KIND, key), KEPT_AT)) for key, content in found if content is not None
    }


def _parse(content: bytes, place: Place | None) -> Patch:
    document, members = parse_members(content, place)
    return Patch(
        owner="",
        version=document["version"],
        members=members,
        notes=document["notes"],
        facts=parse_facts(document["facts"]),
    )


def _make(
    kind: Kind,
    missing: Mapping[str, Piece],
    target: Target,
    *,
    path_of: Callable[[str], str],
    builder: Builder,
    cache: Cache,
    listen: Listener,
) -> dict[str, Patch]:
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
        made: dict[str, Patch] = {}
        for key, draft in zip(missing, drafts, strict=True):
            content = draft.kept(outcome.version)
            cache.store_bytes(_KIND, key, content)
            made |= _find(cache, [key]) or {key: _parse(content, None)}  # a disk may not have taken it
        return made


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

    def kept(self, version: str) -> bytes:
        """The patch as the cache holds it."""
        made = [self.members[path] for path in sorted(self.members, key=str.encode)]
        facts = facts_document(merge(facts for _, facts in made))
        document = {"version": version, "notes": self.notes, "facts": facts}
        return format_members(document, (member for member, _ in made))


def _settle(pending: deque[tuple[int, Future[tuple[Member, Facts]]]], drafts: list[_Draft], spool: BinaryIO) -> None:
    """Move the first of what is packed from memory to the spool."""
    room, future = pending.popleft()
    member, facts = future.result()
    assert isinstance(member.data, bytes)
    moved = replace(member, data=Slice(Path(spool.name), spool.tell()))
    spool.write(member.data)
    drafts[room].members[member.path] = moved, facts
