"""Reads ELF files as the dynamic loader does: program headers, dynamic section and version needs, nothing else.

Sections and symbol tables are not looked at: a stripped file has none, and a library of 50 MB takes no time.
Format: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html, versions:
https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from lambdabuild.model.facts import DAMAGED, Binary

MAGIC = b"\x7fELF"

_MACHINES = {62: "x86_64", 183: "aarch64", 3: "EM_386", 8: "EM_MIPS", 20: "EM_PPC", 21: "EM_PPC64", 22: "EM_S390"}
_MACHINES |= {40: "EM_ARM", 43: "EM_SPARCV9", 243: "EM_RISCV", 258: "EM_LOONGARCH"}
_DEVICES = frozenset({190, 224, 247})
"""CUDA, AMDGPU, BPF: code for another processor than the machine's, or for the kernel: data to whoever loads it."""
_PROGRAM, _SHARED = 2, 3
"""ET_EXEC and ET_DYN, the kinds of files that are loaded."""
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
"""Kinds of segments."""
_CODE, _WRITTEN = 1, 2
"""PF_X and PF_W."""
_NULL, _NEEDED, _STRTAB, _SONAME, _FLAGS_1, _VERNEED = 0, 1, 5, 14, 0x6FFFFFFB, 0x6FFFFFFE
"""Tags of the dynamic section."""
_PIE = 0x08000000
"""DF_1_PIE: a program, although it may be loaded to any address."""
_WEAK = 0x2
"""VER_FLG_WEAK: the loader goes on when the library has no such version."""
_MOST = 1_000
"""Entries of a table, dozens in real files; a damaged one may go round in circles."""


def read_binary(path: str, content: bytes) -> Binary | None:
    """What an ELF file asks of the system that loads it; None for anything else, and for ELF that no system loads
    (object files, core dumps, code for graphics cards).

    Whatever the name: content that begins with the magic number and cannot be read has the machine ``DAMAGED``.
    """
    if not content.startswith(MAGIC):
        return None
    try:
        binary = _read(path, _Image(content))
    except (_DamagedError, UnicodeDecodeError):
        return Binary(path=path, machine=DAMAGED, soname=None, needed=(), versions=())
    stem, _, suffix = path.rpartition("/")[2].partition(".")
    if binary is not None and suffix == "so" and has_text(content, f"PyInit_{stem}".encode()):
        return replace(binary, extension=True)
    return binary


def has_text(content: bytes, *texts: bytes) -> bool:
    """Whether one of these texts is in a file; not in machine code, which is half of many a library and holds none."""
    try:
        code = _Image(content).code if content.startswith(MAGIC) else []
    except _DamagedError:
        code = []
    starts, ends = [0, *(end for _, end in code)], [*(start for start, _ in code), len(content)]
    return any(content.find(text, *part) >= 0 for part in zip(starts, ends, strict=True) for text in texts)


class _DamagedError(Exception):
    """A table that points to nowhere."""


def _read(path: str, image: _Image) -> Binary | None:
    if not image.loaded:
        return None
    image.check()
    tags = list(image.dynamic_tags())
    values = dict(reversed(tags))
    strings = image.offset(values.get(_STRTAB, 0)) if values.keys() & {_NEEDED, _SONAME, _VERNEED} else 0
    soname = image.string(strings + values[_SONAME]) if _SONAME in values else None
    interpreted = soname is None and any(segment.kind == _INTERP for segment in image.segments)
    return Binary(
        path=path,
        machine=_MACHINES.get(image.machine, f"EM_{image.machine}"),
        soname=soname,
        needed=tuple(image.string(strings + value) for tag, value in tags if tag == _NEEDED),
        versions=tuple(image.versions(values[_VERNEED], strings)) if _VERNEED in values else (),
        program=image.kind == _PROGRAM or bool(values.get(_FLAGS_1, 0) & _PIE) or interpreted,
    )


class _Segment(NamedTuple):
    """A program header."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int
    """In the file."""


class _Image:
    """The file as it lies in memory when it is loaded."""

    def __init__(self, content: bytes) -> None:
        """Raises _DamagedError for headers that cannot be read."""
        self._content = content
        words, order = content[4:5], content[5:6]
        if words not in (b"\1", b"\2") or order not in (b"\1", b"\2"):
            raise _DamagedError
        self._order = "<" if order == b"\1" else ">"
        self._word = "I" if words == b"\1" else "Q"
        self.kind, self.machine, _, _, start, *_, size, count = self._unpack(f"2HI3{self._word}I3H", 16)
        self.loaded = self.kind in (_PROGRAM, _SHARED) and self.machine not in _DEVICES
        if self.loaded and count > _MOST:
            raise _DamagedError
        self.segments = [self._segment(start + number * size) for number in range(count * self.loaded)]
        self._loads = [segment for segment in self.segments if segment.kind == _LOAD]

    def _segment(self, at: int) -> _Segment:
        if self._word == "Q":
            kind, flags, offset, address, _, size, *_ = self._unpack("2I6Q", at)
        else:
            kind, offset, address, _, size, _, flags, _ = self._unpack("8I", at)
        return _Segment(kind, flags, offset, address, size)

    def check(self) -> None:
        """Raises _DamagedError where the file ends before what is loaded of it does."""
        if any(load.offset + load.size > len(self._content) for load in self._loads):
            raise _DamagedError

    @property
    def code(self) -> list[tuple[int, int]]:
        """Where machine code begins and ends, in order and apart; none where the linker put constants beside it, that
        is where no segment holds them alone."""
        parts = sorted((load.offset, load.offset + load.size) for load in self._loads if load.flags & _CODE)
        bounds = [0, *(bound for part in parts for bound in part), len(self._content)]
        apart = any(not load.flags & (_CODE | _WRITTEN) for load in self._loads)
        return parts if apart and bounds == sorted(bounds) else []

    def dynamic_tags(self) -> Iterator[tuple[int, int]]:
        """Tag and value, up to the end of the dynamic section."""
        entry = f"2{self._word}"
        for dynamic in [segment for segment in self.segments if segment.kind == _DYNAMIC][:1]:
            size = struct.calcsize(entry)
            for number in range(min(dynamic.size // size, _MOST)):
                tag, value = self._unpack(entry, dynamic.offset + number * size)
                if tag == _NULL:
                    return
                yield tag, value

    def versions(self, address: int, strings: int) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each library with the symbol versions without which the loader gives up."""
        at, seen = self.offset(address), 0
        while seen < _MOST:
            _, count, file, first, following = self._unpack("2H3I", at)
            names, aux = [], at + first
            seen += 1 + count
            for _ in range(min(count, _MOST)):
                _, flags, _, name, step = self._unpack("I2H2I", aux)
                if not flags & _WEAK:
                    names.append(self.string(strings + name))
                aux += step
            if names:
                yield self.string(strings + file), tuple(names)
            if not following:
                return
            at += following
        raise _DamagedError

    def offset(self, address: int) -> int:
        """Where in the file lies what is loaded to an address."""
        for load in self._loads:
            into = address - load.address
            if 0 <= into < load.size:
                return into + load.offset
        raise _DamagedError

    def string(self, at: int) -> str:
        """The text at an offset, up to the byte that ends it."""
        end = self._content.find(b"\0", at)
        if end < 0:
            raise _DamagedError
        return self._content[at:end].decode()

    def _unpack(self, fields: str, at: int) -> tuple[Any, ...]:
        if at > len(self._content):
            raise _DamagedError
        try:
            return struct.unpack_from(self._order + fields, self._content, at)
        except struct.error:
            raise _DamagedError from None
