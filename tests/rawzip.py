"""Zips written field by field, so that a test can make any of them lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import deflate

from tests.wheels import record_of

FILENAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A member, in the wheel's own words where those are given and in true ones else."""

    name: bytes
    content: bytes = b""
    method: int = 8
    mode: int = 0o100644
    flags: int = 0
    data: bytes | None = None
    """As it lies in the zip."""
    size: int | None = None
    crc32: int | None = None
    compressed_size: int | None = None
    extra: bytes = b""
    local_extra: bytes = b""
    local: Mapping[str, int | bytes] = field(default_factory=dict)
    """Fields of the local header that differ: flags, method, crc32, compressed_size, size, name."""
    after: bytes = b""
    """Between its data and the next member."""
    header: int | None = None
    """Where the central directory says that the local header is."""
    comment: bytes = b""

    @property
    def packed(self) -> bytes:
        if self.data is not None:
            return self.data
        if self.method != 8:
            return self.content
        return bytes(deflate.deflate_compress(self.content, 6))  # not zlib: each machine's is another

    def told(self) -> dict[str, int | bytes]:
        size = len(self.content) if self.size is None else self.size
        return {
            "name": self.name,
            "flags": self.flags,
            "method": self.method,
            "crc32": zlib.crc32(self.content) if self.crc32 is None else self.crc32,
            "compressed_size": len(self.packed) if self.compressed_size is None else self.compressed_size,
            "size": size,
        }


def raw_zip(
    rows: Iterable[Row],
    *,
    before: bytes = b"",
    gap: bytes = b"",
    directory_end: bytes = b"",
    comment: bytes = b"",
    tail: bytes = b"",
    zip64: bool = False,
    **end: int,
) -> bytes:
    """A zip of these members; ``end`` replaces fields of the end record."""
    out, central = bytearray(before), bytearray()
    count = 0
    for row in rows:
        offset = len(out) if row.header is None else row.header
        told = row.told()
        here = told | dict(row.local)
        out += _local(here, row.local_extra) + row.packed + row.after
        central += _central(told, row, offset)
        count += 1
    out += gap
    values = {"count": count, "on_disk": count, "size": len(central), "start": len(out), "disk": 0} | end
    central += directory_end
    out += central
    if zip64:
        at = len(out)
        numbers = (values["on_disk"], values["count"], values["size"], values["start"])
        out += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, *numbers)
        out += struct.pack("<4sLQL", b"PK\6\7", 0, end.get("zip64_at", at), 1)
        values |= {"count": 0xFFFF, "on_disk": 0xFFFF} | {key: end[key] for key in ("count", "on_disk") if key in end}
    disk, size, start = values["disk"], values["size"], values["start"]
    out += struct.pack("<4s4H2LH", b"PK\5\6", disk, 0, values["on_disk"], values["count"], size, start, len(comment))
    return bytes(out + comment + tail)


def _local(told: Mapping[str, int | bytes], extra: bytes) -> bytes:
    name = told["name"]
    assert isinstance(name, bytes)
    sizes = told["crc32"], told["compressed_size"], told["size"]
    return (
        struct.pack("<4s5H3L2H", b"PK\3\4", 20, told["flags"], told["method"], 0, 33, *sizes, len(name), len(extra))
        + name
        + extra
    )


def _central(told: Mapping[str, int | bytes], row: Row, offset: int) -> bytes:
    sizes = told["crc32"], told["compressed_size"], told["size"]
    lengths = len(row.name), len(row.extra), len(row.comment)
    return (
        struct.pack(
            "<4s6H3L5H2L",
            b"PK\1\2",
            3 << 8 | 20,
            20,
            row.flags,
            row.method,
            0,
            33,
            *sizes,
            *lengths,
            0,
            0,
            row.mode << 16,
            offset,
        )
        + row.name
        + row.extra
        + row.comment
    )


def wheel_rows(
    files: Mapping[str, str | bytes] | None = None,
    *,
    info: str = INFO,
    metadata: str = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    wheel: str = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    record: str | None = None,
    modes: Mapping[str, int] | None = None,
) -> list[Row]:
    """The members of a good wheel with these files, RECORD last."""
    content = {name: text.encode() if isinstance(text, str) else text for name, text in (files or {}).items()}
    content = {"demo/__init__.py": b"A = 1\n" * 20, **content}
    content.setdefault(f"{info}/METADATA", metadata.encode())
    content.setdefault(f"{info}/WHEEL", wheel.encode())
    path = f"{info}/RECORD"
    content[path] = (record_of(content, path) if record is None else record).encode()
    modes = modes or {}
    return [
        Row(
            name=name.encode(),
            content=data,
            mode=0o100000 | modes.get(name, 0o644),
            flags=0 if name.isascii() else 0x800,
        )
        for name, data in content.items()
    ]


def changed(rows: Sequence[Row], name: str, **changes: object) -> list[Row]:
    """The members, one of them changed."""
    assert any(row.name == name.encode() for row in rows)
    return [replace(row, **changes) if row.name == name.encode() else row for row in rows]  # type: ignore[arg-type]
