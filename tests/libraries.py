"""Shared objects written by hand that the loader loads, with sections and with symbols that strip takes out."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.elves import SHARED, X86_64

_HEADER, _PROGRAM, _SECTION = struct.Struct("<16s2HI3QI6H"), struct.Struct("<2I6Q"), struct.Struct("<2I4Q2I2Q")
_SYMBOL, _ENTRY = struct.Struct("<I2BH2Q"), struct.Struct("<qQ")
_LOAD, _DYNAMIC, _GNU_STACK = 1, 2, 0x6474E551
_PROGBITS, _SYMTAB, _STRTAB, _DYNAMIC_SECTION, _DYNSYM = 1, 2, 3, 6, 11
_WRITE, _ALLOC = 1, 2
_DT_NULL, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT = 0, 5, 6, 10, 11
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    type: int
    flags: int
    at: int
    data: bytes
    link: int = 0
    entry: int = 0
    align: int = 8


def library(
    *,
    machine: int = X86_64,
    symbols: int = 500,
    abandoned: bool = False,
    hidden: bool = False,
    behind: bytes = b"",
) -> bytes:
    """A shared object that defines nothing, and has a table of ``symbols`` local symbols which nobody needs to load it.

    With ``abandoned`` it has a segment in which there is no section any more, as editors of ELF files leave one behind
    when they move a section to make room; binutils before 2.44 put such a segment where it cannot be mapped. With
    ``hidden`` the dynamic table lies in such a segment, and every strip drops it. ``behind`` is what follows all that
    the headers tell of.
    """
    abandoned = abandoned or hidden
    programs = 4 if abandoned else 3
    at = _HEADER.size + programs * _PROGRAM.size
    dynsym, dynstr = bytes(_SYMBOL.size), b"\0"
    table = -(-(at + len(dynsym) + len(dynstr)) // 8) * 8
    tags = [(_DT_SYMTAB, at), (_DT_SYMENT, _SYMBOL.size), (_DT_STRTAB, at + len(dynsym)), (_DT_STRSZ, 1), (_DT_NULL, 0)]
    dynamic = b"".join(_ENTRY.pack(*tag) for tag in tags)
    size = table + len(dynamic)
    extra = _PAGE if abandoned else 0
    names = [f"symbol_{number:06}" for number in range(symbols)]
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    symtab = bytes(_SYMBOL.size) + b"".join(
        _SYMBOL.pack(1 + number * len(names[0] + "\0"), 0, 0, 1, at, 0) for number in range(symbols)
    )
    start = 2 * extra if abandoned else -(-size // 8) * 8
    sections = [
        _Section(".dynsym", _DYNSYM, _ALLOC, at, dynsym, link=2, entry=_SYMBOL.size),
        _Section(".dynstr", _STRTAB, _ALLOC, at + len(dynsym), dynstr, align=1),
        _Section(".dynamic", _DYNAMIC_SECTION, _ALLOC | _WRITE, table, dynamic, link=2, entry=_ENTRY.size),
        _Section(".symtab", _SYMTAB, 0, start, symtab, link=5, entry=_SYMBOL.size),
        _Section(".strtab", _STRTAB, 0, start + len(symtab), strings, align=1),
    ]
    segments = [_PROGRAM.pack(_LOAD, 6, 0, 0, 0, size, size, _PAGE)]
    if abandoned:
        length = len(dynamic)
        segments.append(_PROGRAM.pack(_LOAD, 6, _PAGE, 2 * _PAGE, 2 * _PAGE, length, length, _PAGE))
    offset, address = (_PAGE, 2 * _PAGE) if hidden else (table, table)
    segments.append(_PROGRAM.pack(_DYNAMIC, 6, offset, address, address, len(dynamic), len(dynamic), 8))
    segments.append(_PROGRAM.pack(_GNU_STACK, 6, 0, 0, 0, 0, 0, 16))  # without it, an executable stack is asked for
    made = bytearray(_file(machine, segments, sections, symbols=symbols))
    if hidden:
        made[_PAGE : _PAGE + len(dynamic)] = dynamic
    return bytes(made) + behind


def _file(machine: int, segments: list[bytes], sections: list[_Section], *, symbols: int) -> bytes:
    titles = b"\0" + b"".join(f"{section.name}\0".encode() for section in sections) + b".shstrtab\0"
    last = sections[-1]
    sections = [*sections, _Section(".shstrtab", _STRTAB, 0, last.at + len(last.data), titles, align=1)]
    end = sections[-1].at + len(titles)
    table = -(-end // 8) * 8
    out = bytearray(table)
    headers = [bytes(_SECTION.size)]
    for one in sections:
        out[one.at : one.at + len(one.data)] = one.data
        info = symbols + 1 if one.type == _SYMTAB else int(one.type == _DYNSYM)
        address = one.at if one.flags else 0
        name = titles.index(f"\0{one.name}\0".encode()) + 1
        headers.append(
            _SECTION.pack(
                name, one.type, one.flags, address, one.at, len(one.data), one.link, info, one.align, one.entry
            )
        )
    identity = b"\x7fELF\2\1\1".ljust(16, b"\0")
    sizes = (_HEADER.size, _PROGRAM.size, len(segments), _SECTION.size, len(headers), len(headers) - 1)
    out[: _HEADER.size] = _HEADER.pack(identity, SHARED, machine, 1, 0, _HEADER.size, table, 0, *sizes)
    out[_HEADER.size : _HEADER.size + len(b"".join(segments))] = b"".join(segments)
    return bytes(out) + b"".join(headers)
