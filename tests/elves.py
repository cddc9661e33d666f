"""ELF files written by hand: what the loader reads of a shared object or a program, for any machine, and no code."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

X86_64, AARCH64, I386, CUDA = 62, 183, 3, 190
"""e_machine."""
RELOCATABLE, EXECUTABLE, SHARED, CORE = 1, 2, 3, 4
"""e_type."""
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_NULL, _NEEDED, _STRTAB, _STRSZ, _SONAME = 0, 1, 5, 10, 14
_FLAGS_1, _VERNEED, _VERNEEDNUM = 0x6FFFFFFB, 0x6FFFFFFE, 0x6FFFFFFF
_HEADER, _PROGRAM, _ENTRY = struct.Struct("<16s2HI3QI6H"), struct.Struct("<2I6Q"), struct.Struct("<qQ")
_NEED, _AUX = struct.Struct("<2H3I"), struct.Struct("<I2H2I")
PIE = 0x08000000
"""DF_1_PIE."""
WEAK = 0x2
"""VER_FLG_WEAK."""


class _Strings:
    """A string table."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")

    def __call__(self, text: str) -> int:
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


def elf(
    machine: int = X86_64,
    *,
    kind: int = SHARED,
    needed: Sequence[str] = (),
    soname: str | None = None,
    versions: Mapping[str, Sequence[str]] | None = None,
    weak: Sequence[str] = (),
    interpreter: str | None = None,
    flags_1: int = 0,
    dynamic: bool = True,
) -> bytes:
    """A 64-bit file, little-endian, loaded to address 4096.

    ``versions`` are symbol versions by the library they are asked of; those in ``weak`` are asked for weakly.
    """
    address, strings = 4096, _Strings()
    segments = 2 + (interpreter is not None) if dynamic else 1
    at = _HEADER.size + segments * _PROGRAM.size
    needs = _version_needs(versions or {}, weak, strings)
    interp = (interpreter or "").encode() + b"\0"
    entries = [(_NEEDED, strings(name)) for name in needed]
    entries += [(_SONAME, strings(soname))] if soname is not None else []
    entries += [(_FLAGS_1, flags_1)] if flags_1 else []
    entries += [(_VERNEED, address + at + len(interp)), (_VERNEEDNUM, len(versions or {}))] if needs else []
    table = at + len(interp) + len(needs)
    entries += [(_STRTAB, address + table), (_STRSZ, len(strings.data)), (_NULL, 0)]
    start = table + len(strings.data)
    body = interp + needs + bytes(strings.data) + b"".join(_ENTRY.pack(*entry) for entry in entries)
    size = at + len(body)
    programs = [_PROGRAM.pack(_LOAD, 5, 0, address, address, size, size, 4096)]
    if dynamic:
        length = len(entries) * _ENTRY.size
        programs.append(_PROGRAM.pack(_DYNAMIC, 6, start, address + start, address + start, length, length, 8))
    if interpreter is not None and dynamic:
        programs.append(_PROGRAM.pack(_INTERP, 4, at, address + at, address + at, len(interp), len(interp), 1))
    identity = b"\x7fELF\2\1\1".ljust(16, b"\0")
    sizes = (_HEADER.size, _PROGRAM.size, segments, 64, 0, 0)
    header = _HEADER.pack(identity, kind, machine, 1, 0, _HEADER.size, 0, 0, *sizes)
    return header + b"".join(programs) + body


def _version_needs(versions: Mapping[str, Sequence[str]], weak: Sequence[str], strings: _Strings) -> bytes:
    out = b""
    for number, (library, names) in enumerate(versions.items(), start=1):
        length = _NEED.size + len(names) * _AUX.size
        following = length if number < len(versions) else 0
        out += _NEED.pack(1, len(names), strings(library), _NEED.size, following)
        for index, name in enumerate(names, start=1):
            flags = WEAK if name in weak else 0
            out += _AUX.pack(0, flags, index + 1, strings(name), _AUX.size if index < len(names) else 0)
    return out
