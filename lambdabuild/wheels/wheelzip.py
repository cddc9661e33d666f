"""A strict reader of a wheel's zip structure: the members, and where the data of each lies.

Readers of zips disagree where an archive contradicts itself, so one that does is refused: members, central directory
and end follow one another without a byte between them, and each local header says what the central directory says.
Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from lambdabuild.errors import PolicyError
from lambdabuild.wheels.names import check_names, decode_name, refusal

STORED, DEFLATED, ZSTD = 0, 8, 93
MOST_UNZIPPED = 1 << 30
"""Bytes that the members of one wheel may unpack to, together: four times what Lambda takes of a whole function."""
MOST_MEMBERS = 200_000
_MOST_DIRECTORY = 1 << 26

_END = struct.Struct("<4s4H2LH")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<HH")
_NEWEST = 63
"""The newest version of the format that a member may need, 6.3."""
_EMPTY = 5
"""Bytes that nothing may take when it is deflated: a stored block."""
_MAX_16, _MAX_32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x2041, 0x8, 0x800
_KNOWN_FLAGS = 0x6 | _DESCRIPTOR | _UTF8
"""0x6 tells how hard the compressor tried."""
_ZIP64_EXTRA = 1
_FORBIDDEN_EXTRAS = {0x7075: "another name for it (Unicode path)", 0x9901: "encryption", 0x0017: "encryption"}
_KINDS = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
_KINDS |= {stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_MOST_DEFLATED = 1032
"""How many times smaller deflating makes anything, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember:
    """A file in a wheel."""

    name: str
    method: int
    executable: bool
    crc32: int
    compressed_size: int
    size: int
    offset: int
    """Of its data."""


def read_members(descriptor: int, wheel: str) -> tuple[ZipMember, ...]:
    """The files of a wheel, in the order of its central directory; folders are checked and left out.

    Raises PolicyError, with the wheel's name and the member's, for anything that two readers could read differently.
    """
    return _Reader(descriptor, os.fstat(descriptor).st_size, wheel).members()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row of the central directory."""

    raw_name: bytes
    name: str
    flags: int
    method: int
    mode: int
    crc32: int
    compressed_size: int
    size: int
    header: int
    """Offset of its local header."""


@dataclass(frozen=True, slots=True)
class _Reader:
    file: int
    length: int
    wheel: str

    def members(self) -> tuple[ZipMember, ...]:
        start, size, count = self._directory()
        entries = list(self._entries(self._read(start, size), count))
        check_names([entry.name for entry in entries], self.wheel)
        total = sum(entry.size for entry in entries)
        if total > MOST_UNZIPPED:
            raise self._refusal(f"unpacks to {total:,} bytes, more than the {MOST_UNZIPPED:,} that a wheel may")
        offsets = self._data_offsets(entries, start)
        return tuple(
            ZipMember(
                name=entry.name,
                method=entry.method,
                executable=bool(entry.mode & 0o111),
                crc32=entry.crc32,
                compressed_size=entry.compressed_size,
                size=entry.size,
                offset=offset,
            )
            for entry, offset in zip(entries, offsets, strict=True)
            if not entry.name.endswith("/")
        )

    def _refusal(self, problem: str, member: str | None = None) -> PolicyError:
        return refusal(self.wheel, problem, member)

    def _read(self, offset: int, size: int) -> bytes:
        return os.pread(self.file, size, offset)

    def _directory(self) -> tuple[int, int, int]:
        """Offset, size and number of entries of the central directory, which ends where the end record begins."""
        tail = self._read(max(0, self.length - _END.size - _MAX_16), _END.size + _MAX_16)
        found = tail.rfind(b"PK\5\6")
        if found < 0 or len(tail) - found < _END.size:
            raise self._refusal("is not a wheel: it has no end of a zip, so it may have been cut off")
        _, disk, start_disk, on_disk, count, size, start, comment = _END.unpack_from(tail, found)
        if len(tail) - found - _END.size != comment:
            raise self._refusal("has bytes after its end, or is cut off there")
        end = self.length - (len(tail) - found)
        locator = self._read(end - _ZIP64_LOCATOR.size, _ZIP64_LOCATOR.size) if end >= _ZIP64_LOCATOR.size else b""
        if locator.startswith(b"PK\6\7"):
            end -= _ZIP64_LOCATOR.size + _ZIP64_END.size
            short = (disk, start_disk, on_disk, count, size, start)
            disk, start_disk, on_disk, count, size, start = self._zip64(locator, end, short)
        if disk or start_disk or on_disk != count:
            raise self._refusal("is one part of a zip in several")
        if start + size != end:
            raise self._refusal("has a central directory that is not where its end says")
        if count > MOST_MEMBERS or size > _MOST_DIRECTORY:
            raise self._refusal(f"has {count:,} members, or a central directory, that no wheel needs: {size:,} bytes")
        return start, size, count

    def _zip64(self, locator: bytes, at: int, short: tuple[int, ...]) -> tuple[int, ...]:
        """What the larger end record tells; the smaller one must tell the same, or that it cannot."""
        _, disk, offset, disks = _ZIP64_LOCATOR.unpack(locator)
        data = self._read(at, _ZIP64_END.size) if at >= 0 else b""
        if disk or disks != 1 or offset != at or not data.startswith(b"PK\6\6"):
            raise self._refusal("has a zip64 end that is not where it is said to be")
        _, rest, _, _, *values = _ZIP64_END.unpack(data)
        limits = (_MAX_16,) * 4 + (_MAX_32,) * 2
        if rest != _ZIP64_END.size - 12 or any(
            told not in (value, limit) for told, value, limit in zip(short, values, limits, strict=True)
        ):
            raise self._refusal("has two ends that contradict each other")
        return tuple(values)

    def _entries(self, directory: bytes, count: int) -> Iterator[_Entry]:
        at = 0
        for _ in range(count):
            if len(directory) - at < _CENTRAL.size or directory[at : at + 4] != b"PK\1\2":
                raise self._refusal("has a damaged central directory")
            fields = _CENTRAL.unpack_from(directory, at)
            flags, method, _, _, crc32, compressed, size, name_length, extra_length, comment = fields[5:15]
            disk, _, attributes, header = fields[15:]
            name_at = at + _CENTRAL.size
            extra_at = name_at + name_length
            at = extra_at + extra_length + comment
            if at > len(directory):
                raise self._refusal("has a damaged central directory")
            raw = directory[name_at:extra_at]
            name = decode_name(raw, self.wheel, marked=bool(flags & _UTF8))
            large = self._extras(directory[extra_at : extra_at + extra_length], name, (size, compressed, header, disk))
            size, compressed, header, disk = large
            if fields[3] > _NEWEST:
                raise self._refusal("needs a reader of zips that is newer than any", name)
            if disk:
                raise self._refusal("is said to lie in another part of the zip", name)
            entry = _Entry(raw, name, flags, method, attributes >> 16, crc32, compressed, size, header)
            self._check_entry(entry)
            yield entry
        if at != len(directory):
            raise self._refusal("has a central directory with more in it than its end tells")

    def _extras(self, extra: bytes, name: str, values: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """The values of an entry or header, those from its zip64 field that do not fit elsewhere."""
        at, seen = 0, set()
        while at < len(extra):
            if len(extra) - at < _EXTRA.size:
                raise self._refusal("has extra fields that are damaged", name)
            kind, length = _EXTRA.unpack_from(extra, at)
            field = extra[at + _EXTRA.size : at + _EXTRA.size + length]
            at += _EXTRA.size + length
            if at > len(extra) or (kind == _ZIP64_EXTRA and kind in seen):
                raise self._refusal("has extra fields that are damaged", name)
            if kind in _FORBIDDEN_EXTRAS:
                raise self._refusal(f"has an extra field with {_FORBIDDEN_EXTRAS[kind]}", name)
            seen.add(kind)
            if kind == _ZIP64_EXTRA:
                values = self._zip64_values(field, name, values)
        return values

    def _zip64_values(self, field: bytes, name: str, values: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        lacking = [n for n, value in enumerate(values) if value == (_MAX_16 if n == 3 else _MAX_32)]
        if not lacking and field in (b"", struct.pack("<2Q", *values[:2])):
            return values
        if (field and not lacking) or len(field) != sum(4 if n == 3 else 8 for n in lacking):
            raise self._refusal("has a zip64 field that contradicts its header", name)
        numbers = struct.unpack("<" + "".join("L" if n == 3 else "Q" for n in lacking), field)
        found = {**dict(enumerate(values)), **dict(zip(lacking, numbers, strict=True))}
        return found[0], found[1], found[2], found[3]

    def _check_entry(self, entry: _Entry) -> None:
        name = entry.name
        if entry.flags & _ENCRYPTED:
            raise self._refusal("is encrypted", name)
        if entry.flags & ~_KNOWN_FLAGS:
            raise self._refusal(f"has flags that no wheel needs: {entry.flags:#x}", name)
        if entry.method not in (STORED, DEFLATED, ZSTD):
            raise self._refusal(
                f"is compressed by method {entry.method}; wheels are stored, deflated or compressed by zstd", name
            )
        kind = stat.S_IFMT(entry.mode)
        if name.endswith("/"):
            empty = not entry.size and not entry.crc32 and entry.compressed_size <= _EMPTY
            if not empty or kind not in (0, stat.S_IFDIR, stat.S_IFREG):
                raise self._refusal("is a folder with something in it", name)
        elif kind not in (0, stat.S_IFREG):
            raise self._refusal(f"is {_KINDS.get(kind, 'no file')}, and a wheel holds files only", name)
        if entry.method == STORED and entry.compressed_size != entry.size:
            raise self._refusal("is stored, and its two sizes differ", name)
        if entry.method == DEFLATED and entry.size > entry.compressed_size * _MOST_DEFLATED:
            raise self._refusal("is said to unpack to more than its data can hold", name)
        if entry.method == STORED and entry.flags & _DESCRIPTOR:
            raise self._refusal("is stored without its size before it", name)

    def _data_offsets(self, entries: list[_Entry], end: int) -> list[int]:
        """Where the data of each entry begins; every byte before the central directory is a member's, and of one."""
        offsets = [0] * len(entries)
        at = 0
        for number in sorted(range(len(entries)), key=lambda number: entries[number].header):
            entry = entries[number]
            if entry.header != at:
                apart = "has bytes before it that belong to no member"
                overlapping = "overlaps the member before it" if entry.header < at else apart
                raise self._refusal(overlapping, entry.name)
            data = self._data_offset(entry, end)
            offsets[number] = data
            at = data + entry.compressed_size
            if entry.flags & _DESCRIPTOR:
                at += self._descriptor(entry, at)
            if at > end:
                raise self._refusal("reaches into the central directory", entry.name)
        if at != end:
            raise self._refusal("has bytes before its central directory that belong to no member")
        return offsets

    def _data_offset(self, entry: _Entry, end: int) -> int:
        """Where the data begins, after a local header that says what the central directory says."""
        length = _LOCAL.size + len(entry.raw_name)
        header = self._read(entry.header, length)
        if len(header) < length or header[:4] != b"PK\3\4" or entry.header + length > end:
            raise self._refusal("has no header where the central directory says", entry.name)
        _, _, flags, method, _, _, crc32, compressed, size, name_length, extra_length = _LOCAL.unpack_from(header)
        if name_length != len(entry.raw_name) or header[_LOCAL.size :] != entry.raw_name:
            raise self._refusal("has another name in its own header", entry.name)
        extra = self._read(entry.header + length, extra_length) if extra_length else b""
        if len(extra) != extra_length:
            raise self._refusal("is cut off", entry.name)
        size, compressed, _, _ = self._extras(extra, entry.name, (size, compressed, 0, 0))
        told = (crc32, compressed, size)
        wanted = (entry.crc32, entry.compressed_size, entry.size)
        if entry.flags & _DESCRIPTOR and told == (0, 0, 0):
            told = wanted
        if (flags, method, *told) != (entry.flags, entry.method, *wanted):
            raise self._refusal("has another method, size, checksum or flag in its own header", entry.name)
        return int(entry.header + length + extra_length)

    def _descriptor(self, entry: _Entry, at: int) -> int:
        """The length of the data descriptor, which repeats what the central directory tells."""
        found = self._read(at, 24)
        for layout in ("<3L", "<L2Q"):
            try:
                fields = struct.pack(layout, entry.crc32, entry.compressed_size, entry.size)
            except struct.error:
                continue
            for descriptor in (b"PK\7\x08" + fields, fields):
                if found.startswith(descriptor):
                    return len(descriptor)
        raise self._refusal("has another size or checksum behind its data", entry.name)
