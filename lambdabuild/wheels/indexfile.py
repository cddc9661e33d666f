"""The file of a wheel's index: ``magic · sha256 of all that follows · length of the header · header · data``.

The header (JSON) tells all of the index; data is the bytes of those members that were packed anew, which are few and
small: the others lie in the wheel. The key under which an index is kept stands in it, so a file under another's name
is none.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from lambdabuild.model.facts import facts_document, parse_facts
from lambdabuild.model.segment import Member, Slice
from lambdabuild.wheels.index import WheelIndex
from lambdabuild.wheels.launchers import Launcher

INDEX_FORMAT = 1
"""Raised whenever the same wheel would give another index: other rules, facts or fields, another compressor."""

_MAGIC = b"lambdabuild wheel index\n"
_DIGEST = hashlib.sha256().digest_size
_LENGTH = struct.Struct("<Q")


class DamagedIndexError(Exception):
    """A file that does not hold the index of its key."""


def index_key(wheel_sha256: str) -> str:
    """The name of an index in the cache, hex: it depends on the wheel and the format, and on nothing else."""
    return hashlib.sha256(f"wheel index {INDEX_FORMAT}\n{wheel_sha256}".encode()).hexdigest()


def write_index(file: BinaryIO, key: str, index: WheelIndex) -> None:
    """Write the file of an index."""
    rows: list[list[Any]] = []
    packed: list[bytes] = []
    size = 0
    for member in index.members:
        row = [member.path, member.mode, member.size, member.crc32, member.sha256]
        row += [member.method, member.compressed_size]
        if isinstance(member.data, Slice):
            rows.append([*row, 1, member.data.offset])
        else:
            rows.append([*row, 0, size])
            packed.append(member.data)
            size += len(member.data)
    document = {
        "key": key,
        "name": index.name,
        "version": index.version,
        "requires": index.requires,
        "record": index.record,
        "launchers": [[one.path, one.mode, one.versioned, one.body.decode("latin-1")] for one in index.launchers],
        "facts": facts_document(index.facts),
        "members": rows,
    }
    header = json.dumps(document, separators=(",", ":")).encode()
    body = b"".join((_LENGTH.pack(len(header)), header, *packed))
    file.write(_MAGIC + hashlib.sha256(body).digest() + body)


def read_index(file: BinaryIO, key: str, wheel: Path) -> WheelIndex:
    """The index of a file, every byte of it checked; its members point into ``wheel``, which is not looked at.

    Raises DamagedIndexError.
    """
    content = file.read()
    start = len(_MAGIC) + _DIGEST
    body = content[start:]
    if not content.startswith(_MAGIC) or hashlib.sha256(body).digest() != content[len(_MAGIC) : start]:
        raise DamagedIndexError
    try:
        (length,) = _LENGTH.unpack_from(body)
        document = json.loads(body[_LENGTH.size : _LENGTH.size + length])
        if document["key"] != key:
            raise DamagedIndexError
        return _index(document, wheel, body, _LENGTH.size + length)
    except (struct.error, KeyError, TypeError, ValueError) as error:
        raise DamagedIndexError from error


def _index(document: Mapping[str, Any], wheel: Path, body: bytes, begin: int) -> WheelIndex:
    members = tuple(
        Member(
            path=path,
            mode=mode,
            size=size,
            crc32=crc32,
            sha256=sha256,
            method=method,
            compressed_size=compressed_size,
            data=Slice(wheel, offset) if outside else body[begin + offset : begin + offset + compressed_size],
        )
        for path, mode, size, crc32, sha256, method, compressed_size, outside, offset in document["members"]
    )
    return WheelIndex(
        name=document["name"],
        version=document["version"],
        requires=tuple(document["requires"]),
        record=document["record"],
        members=members,
        launchers=tuple(
            Launcher(path=path, mode=mode, versioned=versioned, body=text.encode("latin-1"))
            for path, mode, versioned, text in document["launchers"]
        ),
        facts=parse_facts(document["facts"]),
    )
