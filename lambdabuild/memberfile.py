"""The kept form of members: the length of a header, the header (JSON), and the data of those that lie in no wheel."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lambdabuild.model.segment import Member, Slice
from lambdabuild.slices import each_with_data
from lambdabuild.values import dataclass

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Place:
    """Where what is read lies: bytes of a file, from an offset on."""

    file: Path
    offset: int


def format_members(document: Mapping[str, Any], members: Iterable[Member], *, wheel: Path | None = None) -> bytes:
    """Members, and a document that goes with them; the data of those that lie in the wheel stays there."""
    rows: list[tuple[object, ...]] = []
    packed: list[Member] = []
    size = 0
    for one in members:
        outside = isinstance(one.data, Slice) and one.data.file == wheel
        offset = one.data.offset if isinstance(one.data, Slice) and outside else size
        rows.append(
            (one.path, one.mode, one.size, one.crc32, one.sha256, one.method, one.compressed_size, outside, offset)
        )
        if not outside:
            packed.append(one)
            size += one.compressed_size
    header = json.dumps({**document, "members": rows}, separators=(",", ":")).encode()
    return b"".join((_LENGTH.pack(len(header)), header, *(data for _, data in each_with_data(packed))))


def parse_members(
    content: bytes, place: Place | None, *, wheel: Path | None = None
) -> tuple[Mapping[str, Any], tuple[Member, ...]]:
    """The document and the members of a kept form, which points into where it lies, or holds the data where that is
    None; what lies in the wheel points there, and is not looked at."""
    (length,) = _LENGTH.unpack_from(content)
    begin = _LENGTH.size + length
    document = json.loads(content[_LENGTH.size : begin])

    def data(outside: bool, offset: int, size: int) -> Slice | bytes:
        if outside and wheel is not None:
            return Slice(wheel, offset)
        return content[begin + offset :][:size] if place is None else Slice(place.file, place.offset + begin + offset)

    members = tuple(
        Member(  # the fields by name: a layer has thousands of members
            path=path,
            mode=mode,
            size=size,
            crc32=crc32,
            sha256=sha256,
            method=method,
            compressed_size=compressed_size,
            data=data(outside, offset, compressed_size),
        )
        for path, mode, size, crc32, sha256, method, compressed_size, outside, offset in document["members"]
    )
    return document, members
