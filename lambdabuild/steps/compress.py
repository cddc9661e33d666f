"""Members deflated anew where that makes an archive smaller: each content once, what comes of it is kept.

libdeflate's level 10 has 97 % of what level 12 gains, in half its time (docs/decisions/0042-compression.md).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from lambdabuild.budget import Budget
from lambdabuild.cache import KEPT_AT, Cache
from lambdabuild.errors import MachineError
from lambdabuild.memberfile import Place, format_members, parse_members
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.segment import Member
from lambdabuild.model.tree import Entry, Tree
from lambdabuild.slices import each_with_data
from lambdabuild.zipformat import DEFLATED, SMALL_COMPRESSOR, SMALL_LEVEL, inflate, pack

_KIND = "deflated"
_LEAST = 8192
"""Bytes deflated of a file that is worth it."""
_DENSE, _HOPELESS = 0.28, 0.9
"""Deflated size by size: what is denser than the first gains most for the time that it takes (machine code, above all),
what is denser than the second gains nothing."""
_MEMORY = 96 << 20
"""Bytes that files and what becomes of them take at once."""


def compress(trees: Mapping[str, Tree], *, cache: Cache, listen: Listener) -> dict[str, Tree]:
    """The same trees with smaller members, by the same names.

    Raises MachineError where a member is not what its checksum says.
    """
    chosen = {one.sha256: one for tree in trees.values() for one in tree.members if _may_pay(one)}
    kept = {sha256: member for sha256 in chosen if (member := _find(sha256, cache)) is not None}
    if missing := [one for sha256, one in chosen.items() if sha256 not in kept]:
        kept |= _deflate(missing, cache, listen)
    return {
        name: Tree({path: _smaller(entry, kept) for path, entry in tree.entries.items()})
        for name, tree in trees.items()
    }


def _may_pay(member: Member) -> bool:
    """Decided by the member alone, so that the same tree always gives the same bytes."""
    dense = _DENSE * member.size <= member.compressed_size <= _HOPELESS * member.size
    return member.method == DEFLATED and member.compressed_size >= _LEAST and dense


def _deflate(members: Iterable[Member], cache: Cache, listen: Listener) -> dict[str, Member]:
    """Deflate these on all cores and keep them, the largest first: they take longest."""
    order = sorted(members, key=lambda one: (-one.size, one.sha256))
    total, done, budget = sum(one.size for one in order), 0, Budget(_MEMORY)
    text = f"deflating {len(order)} file{'s' * (len(order) != 1)} anew"
    listen(Event(phase="compress", text=text))

    def deflate() -> Member:
        with budget.first(order, lambda one: one.size + 2 * one.compressed_size) as member:
            packed = pack("content", 0o644, _content(member), level=SMALL_LEVEL)
            cache.store_bytes(_KIND, _key(member.sha256), format_members({}, [packed]))
            return _find(member.sha256, cache) or packed  # a disk may not have taken it

    kept = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for one in as_completed([pool.submit(deflate) for _ in tuple(order)]):
                member = one.result()
                kept[member.sha256] = member
                done += member.size
                listen(Event(phase="compress", text=text, done=done, total=total))
        except BaseException:
            order.clear()  # whoever waits for room begins nothing
            pool.shutdown(cancel_futures=True)
            raise
    return kept


def _find(sha256: str, cache: Cache) -> Member | None:
    key = _key(sha256)
    content = cache.find_bytes(_KIND, key)
    return None if content is None else parse_members(content, Place(cache.path(_KIND, key), KEPT_AT))[1][0]


def _content(member: Member) -> bytearray:
    ((_, data),) = each_with_data([member])
    try:
        return inflate(bytearray(data), member.size, member.crc32)
    except ValueError as error:
        raise MachineError(
            f"{member.path}, as it lies in the cache, {error}", hint="lambdabuild cache verify"
        ) from error


def _smaller(entry: Entry, kept: Mapping[str, Member]) -> Entry:
    member = entry.member
    packed = kept[member.sha256] if _may_pay(member) else member
    if packed.compressed_size >= member.compressed_size:
        return entry
    return replace(entry, member=replace(packed, path=member.path, mode=member.mode))


def _key(sha256: str) -> str:
    return hashlib.sha256(f"deflated 1 {SMALL_COMPRESSOR}\n{sha256}".encode()).hexdigest()
