"""Deterministic zip archives from members that are already deflated.

The bytes depend on the members and the date alone: entries in the given order, no directory entries, no extra fields
(but zip64's), ``create_system`` 3 (Unix) on every host, and modes from the members. stdlib's ``zipfile`` cannot copy a
member without inflating and deflating it again, which is most of the time that a layer takes.
Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import hashlib
import stat
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import deflate

from lambdabuild.errors import PolicyError
from lambdabuild.model.segment import Member
from lambdabuild.slices import each_with_data

STORED, DEFLATED = 0, 8
LEVEL = 6
"""libdeflate's level: smaller than zlib 9, three times faster than zlib 6 (docs/decisions)."""
COMPRESSOR = f"libdeflate {LEVEL} (deflate {deflate.__version__})"
"""Identifies the compressed bytes; another release of the library may give others."""
SMALL_LEVEL = 10
SMALL_COMPRESSOR = f"libdeflate {LEVEL} and {SMALL_LEVEL} (deflate {deflate.__version__})"
"""The same where members are deflated anew."""
EARLIEST = 315_532_800
"""1980-01-01T00:00:00Z, the first moment that a zip can tell."""
_LATEST = 4_354_819_198
"""2107-12-31T23:59:58Z, the last one."""

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")
_GZIP_HEADER = b"\x1f\x8b\x08" + bytes(7)
_GZIP_TRAILER = struct.Struct("<2L")
_CHUNK = 1 << 18
"""Bytes that are written and hashed at once; a member that is larger is alone."""
_VERSION = 20
_UNIX = 3
_UTF8 = 0x800
_MAX_16, _MAX_32 = 0xFFFF, 0xFFFFFFFF


def pack(path: str, mode: int, content: bytes | bytearray, *, level: int = LEVEL) -> Member:
    """A member with its data in memory, deflated, or stored where deflating does not make it smaller."""
    packed = bytes(deflate.deflate_compress(content, level)) if content else b""
    method = DEFLATED if len(packed) < len(content) else STORED
    data = packed if method == DEFLATED else bytes(content)
    return Member(
        path=path,
        mode=mode,
        size=len(content),
        crc32=deflate.crc32(content),
        sha256=hashlib.sha256(content).hexdigest(),
        method=method,
        compressed_size=len(data),
        data=data,
    )


def each_with_content(members: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
    """The members with what they unpack to."""
    for member, data in each_with_data(members):
        yield member, bytes(deflate.deflate_decompress(data, member.size)) if member.method == DEFLATED else data


def inflate(data: bytearray, size: int, crc32: int) -> bytearray:
    """What deflated data unpacks to, if that has this size and checksum and all of the data is needed for it.

    Takes memory for ``size`` bytes, whatever the data is, and the data itself: it is not what it was afterwards.
    Raises ValueError.
    """
    wrong = ValueError("does not unpack to the size and the checksum that are told of it")
    if size == 0:  # for nothing to unpack the library looks at nothing
        if crc32 or not _ends(data, 0):
            raise wrong
        return bytearray()
    trailer = _GZIP_TRAILER.pack(crc32, size)
    data[:0] = _GZIP_HEADER
    data += trailer
    try:
        content = deflate.gzip_decompress(data, size)  # not copied to bytes: that takes as long as a checksum
    except deflate.DeflateError as error:
        raise wrong from error
    # libdeflate compared the eight bytes where the stream ends with its size and checksum, wherever that was
    end = len(data) - len(trailer)
    if len(content) != size or (data.find(trailer) != end and not _ends(data[len(_GZIP_HEADER) : end], size)):
        raise ValueError("has data that goes on after its end")
    return content


def _ends(data: bytearray, size: int) -> bool:
    """Whether the stream unpacks to this size and takes all of the data."""
    try:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        return len(stream.decompress(data, size + 1)) == size and stream.eof and not stream.unused_data
    except zlib.error:
        return False


def write_zip(out: BinaryIO, members: Iterable[Member], *, epoch: int | None = None) -> str:
    """Write the members in their order and return the archive's sha256, hex.

    ``epoch`` is SOURCE_DATE_EPOCH in seconds, moved into what a zip can tell; None gives 1980-01-01.
    Raises PolicyError when the archive would exceed 4 GiB.
    """
    date, clock = _dos_time(min(max(epoch or EARLIEST, EARLIEST), _LATEST))
    digest = hashlib.sha256()
    central = []
    offset = held = 0
    waiting: list[bytes] = []

    def flush() -> None:
        nonlocal held
        chunk = b"".join(waiting)  # of one alone no copy is made
        waiting.clear()
        held = 0
        out.write(chunk)
        digest.update(chunk)

    def put(data: bytes) -> None:
        nonlocal held, offset
        if held + len(data) > _CHUNK:
            flush()
        waiting.append(data)
        held += len(data)
        offset += len(data)

    for member, data in each_with_data(members):
        name = member.path.encode()
        flags = 0 if name.isascii() else _UTF8
        common = (_VERSION, flags, member.method, clock, date, member.crc32, member.compressed_size, member.size)
        attributes = (stat.S_IFREG | member.mode) << 16
        central.append(
            _CENTRAL.pack(
                b"PK\1\2", _UNIX << 8 | _VERSION, *common, len(name), 0, 0, 0, 0, attributes, min(offset, _MAX_32)
            )
            + name
        )
        put(_LOCAL.pack(b"PK\3\4", *common, len(name), 0) + name)
        put(data)
        if offset > _MAX_32:
            raise PolicyError("the archive exceeds 4 GiB, sixteen times what Lambda takes unzipped")
    start = offset
    put(b"".join(central))
    put(_end_of_central_directory(len(central), offset - start, start))
    flush()
    return digest.hexdigest()


def _end_of_central_directory(count: int, size: int, start: int) -> bytes:
    end = _END.pack(b"PK\5\6", 0, 0, min(count, _MAX_16), min(count, _MAX_16), size, start, 0)
    if count <= _MAX_16:
        return end
    zip64 = _ZIP64_END.pack(b"PK\6\6", _ZIP64_END.size - 12, _UNIX << 8 | 45, 45, 0, 0, count, count, size, start)
    return zip64 + _ZIP64_LOCATOR.pack(b"PK\6\7", 0, start + size, 1) + end


def _dos_time(epoch: int) -> tuple[int, int]:
    year, month, day, hour, minute, second = time.gmtime(epoch)[:6]
    return (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2
