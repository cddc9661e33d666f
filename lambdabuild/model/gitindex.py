"""The names in a git index: what git tracks, and so does not ignore.

https://git-scm.com/docs/index-format
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">4sII")
_NAME_LENGTHS = (20, 32)
"""Bytes of an object's name: SHA-1, or SHA-256."""
_FIXED = 40
"""Bytes of an entry before the name of its object."""
_EXTENDED = 0x4000


def read_index(data: bytes) -> tuple[str, ...] | None:
    """Paths below the top of the work tree, in their order; those of submodules and links among them.

    None for what cannot be read alone: a damaged or newer form, or a split index, the rest of which is elsewhere.
    """
    for length in _NAME_LENGTHS:
        try:
            names, end = _read_entries(data, length)
        except (struct.error, ValueError, IndexError):
            continue
        if names == sorted(names) and all(names) and _is_whole(data[end : len(data) - length]):
            return tuple(name.decode(errors="surrogateescape") for name in names)
    return None


def _read_entries(data: bytes, length: int) -> tuple[list[bytes], int]:
    """The names, and where the entries end."""
    magic, version, count = _HEADER.unpack_from(data)
    if magic != b"DIRC" or version not in (2, 3, 4):
        raise ValueError(f"not an index that is known: {version}")
    names: list[bytes] = []
    at, previous = _HEADER.size, b""
    for _ in range(count):
        (flags,) = struct.unpack_from(">H", data, at + _FIXED + length)
        start = at + _FIXED + length + (4 if flags & _EXTENDED else 2)
        if version == 4:
            removed, start = _read_number(data, start)
            end = data.index(b"\0", start)
            previous = previous[: len(previous) - removed] + data[start:end]
            names.append(previous)
            at = end + 1
        else:
            end = data.index(b"\0", start)
            names.append(data[start:end])
            at += (end - at + 8) & ~7
    return names, at


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    """A number as git writes offsets, and where it ends."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1


def _is_whole(extensions: bytes) -> bool:
    """Whether what follows the entries is well formed, and does not say that there are others elsewhere."""
    at = 0
    while at < len(extensions):
        if len(extensions) - at < 8 or extensions[at : at + 4] == b"link":
            return False
        (size,) = struct.unpack_from(">I", extensions, at + 4)
        at += 8 + size
    return at == len(extensions)
