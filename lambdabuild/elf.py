"""Reads ELF files as the dynamic loader does: program headers, dynamic section and version needs, nothing else.

Sections and symbol tables are not looked at: a stripped file has none, and a library of 50 MB is read in a millisecond.
Format: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html, versions:
https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lambdabuild.model.facts import DAMAGED, Binary

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"

_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
_DEVICES = frozenset({"EM_CUDA", "EM_AMDGPU", "EM_BPF"})
"""Code for another processor than the machine's, or for the kernel: data to whoever loads it."""
_LOADED = frozenset({"ET_EXEC", "ET_DYN"})
_WITH_NAMES = frozenset({"DT_NEEDED", "DT_SONAME", "DT_VERNEED"})
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
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        binary = _read(path, ELFFile(io.BytesIO(content)))
    except (ELFError, _DamagedError, UnicodeDecodeError, OverflowError):
        return Binary(path=path, machine=DAMAGED, soname=None, needed=(), versions=())
    stem, _, suffix = path.rpartition("/")[2].partition(".")
    if binary is not None and suffix == "so" and f"PyInit_{stem}".encode() in content:
        return replace(binary, extension=True)
    return binary


class _DamagedError(Exception):
    """A table that points to nowhere."""


def _read(path: str, elf: ELFFile) -> Binary | None:
    machine = str(elf["e_machine"])
    if elf["e_type"] not in _LOADED or machine in _DEVICES:
        return None
    image = _Image(elf)
    tags = list(image.dynamic_tags())
    values = dict(reversed(tags))
    strings = image.offset(values.get("DT_STRTAB", 0)) if values.keys() & _WITH_NAMES else 0
    soname = image.string(strings + values["DT_SONAME"]) if "DT_SONAME" in values else None
    interpreted = "PT_INTERP" in image.kinds and soname is None
    return Binary(
        path=path,
        machine=_MACHINES.get(machine, machine),
        soname=soname,
        needed=tuple(image.string(strings + value) for tag, value in tags if tag == "DT_NEEDED"),
        versions=tuple(image.versions(values["DT_VERNEED"], strings)) if "DT_VERNEED" in values else (),
        program=elf["e_type"] == "ET_EXEC" or bool(values.get("DT_FLAGS_1", 0) & _PIE) or interpreted,
    )


class _Image:
    """The file as it lies in memory when it is loaded."""

    def __init__(self, elf: ELFFile) -> None:
        self._elf = elf
        self._length = elf.stream_len
        headers = [self._parse(elf.structs.Elf_Phdr, at) for at in self._header_offsets()]
        self.kinds = {header["p_type"] for header in headers}
        """Of program headers."""
        self._loads = [header for header in headers if header["p_type"] == "PT_LOAD"]
        self._dynamic = next((header for header in headers if header["p_type"] == "PT_DYNAMIC"), None)
        for load in self._loads:
            if load["p_offset"] + load["p_filesz"] > self._length:
                raise _DamagedError

    def dynamic_tags(self) -> Iterator[tuple[Any, int]]:
        """Tag and value, up to the end of the dynamic section."""
        if self._dynamic is None:
            return
        size = self._elf.structs.Elf_Dyn.sizeof()
        for number in range(min(self._dynamic["p_filesz"] // size, _MOST)):
            entry = self._parse(self._elf.structs.Elf_Dyn, self._dynamic["p_offset"] + number * size)
            if entry["d_tag"] == "DT_NULL":
                return
            yield entry["d_tag"], entry["d_val"]

    def versions(self, address: int, strings: int) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each library with the symbol versions without which the loader gives up."""
        structs, at, seen = self._elf.structs, self.offset(address), 0
        while seen < _MOST:
            need = self._parse(structs.Elf_Verneed, at)
            names, aux = [], at + need["vn_aux"]
            seen += 1 + need["vn_cnt"]
            for _ in range(min(need["vn_cnt"], _MOST)):
                version = self._parse(structs.Elf_Vernaux, aux)
                if not version["vna_flags"] & _WEAK:
                    names.append(self.string(strings + version["vna_name"]))
                aux += version["vna_next"]
            if names:
                yield self.string(strings + need["vn_file"]), tuple(names)
            if not need["vn_next"]:
                return
            at += need["vn_next"]
        raise _DamagedError

    def offset(self, address: int) -> int:
        """Where in the file lies what is loaded to an address."""
        for load in self._loads:
            into: int = address - load["p_vaddr"]
            if 0 <= into < load["p_filesz"]:
                return into + int(load["p_offset"])
        raise _DamagedError

    def string(self, at: int) -> str:
        """The text at an offset, up to the byte that ends it."""
        from elftools.common.utils import parse_cstring_from_stream

        text = parse_cstring_from_stream(self._elf.stream, at)
        if text is None:
            raise _DamagedError
        return text.decode()

    def _header_offsets(self) -> Iterator[int]:
        start, size, count = (self._elf[field] for field in ("e_phoff", "e_phentsize", "e_phnum"))
        if count > _MOST:
            raise _DamagedError
        return (start + number * size for number in range(count))

    def _parse(self, struct: Any, at: int) -> Any:
        from elftools.common.utils import struct_parse

        if at > self._length:
            raise _DamagedError
        return struct_parse(struct, self._elf.stream, at)
