"""The content of a wheel's members, one at a time in memory, each of the size and checksum that are told of it."""

from __future__ import annotations

import os
import zlib
from typing import Any

from lambdabuild.wheels.names import refusal
from lambdabuild.wheels.wheelzip import DEFLATED, STORED, ZipMember
from lambdabuild.zipformat import inflate


def read_content(descriptor: int, member: ZipMember, wheel: str) -> bytes | bytearray:
    """Raises PolicyError, with the member's name, when the data does not unpack to what is told of it."""
    data = bytearray(member.compressed_size)
    if os.preadv(descriptor, [data], member.offset) != member.compressed_size:
        raise refusal(wheel, "is cut off", member.name)
    if member.method == DEFLATED:
        try:
            return inflate(data, member.size, member.crc32)
        except ValueError as error:
            raise refusal(wheel, str(error), member.name) from None
    content = data if member.method == STORED else _from_zstd(data, member, wheel)
    if zlib.crc32(content) != member.crc32:
        raise refusal(wheel, "does not have the checksum that is told of it", member.name)
    return content


def _from_zstd(data: bytearray, member: ZipMember, wheel: str) -> bytes:
    try:
        zstd: Any = __import__("compression.zstd", fromlist=["zstd"])
    except ImportError:
        raise refusal(
            wheel,
            "is compressed by zstd, which can be read where lambdabuild runs on Python 3.14 or newer",
            member.name,
        ) from None
    stream = zstd.ZstdDecompressor()
    try:
        content: bytes = stream.decompress(data, max_length=member.size + 1)
    except zstd.ZstdError as error:
        raise refusal(wheel, f"is not what zstd compresses to: {error}", member.name) from None
    if len(content) != member.size or not stream.eof or stream.unused_data:
        raise refusal(wheel, "does not unpack to the size that is told of it", member.name)
    return content
