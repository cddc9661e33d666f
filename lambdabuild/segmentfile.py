"""The file of a segment: ``magic · sha256 of the header · sha256 of the data · length of the header · header · data``.

The header (JSON) tells all of the segment but its members' bytes, so a segment can be reasoned about without reading
those. The key under which it is kept stands in it: a file under another's name is none.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from lambdabuild.model.facts import facts_document, parse_facts
from lambdabuild.model.segment import Member, Segment, Slice
from lambdabuild.slices import each_with_data

_MAGIC = b"lambdabuild segment 2\n"
_LENGTH = struct.Struct("<Q")
_DIGEST = hashlib.sha256().digest_size
_FIELDS = ("path", "mode", "size", "crc32", "sha256", "method", "compressed_size")
_CHUNK = 1 << 20


class DamagedSegmentError(Exception):
    """A file that does not hold the segment of its key."""


def write_segment(file: BinaryIO, key: str, segment: Segment) -> None:
    """Write the file of a segment, from its beginning."""
    rows, offset = [], 0
    for member in segment.members:
        rows.append([*(getattr(member, field) for field in _FIELDS), offset])
        offset += member.compressed_size
    document = {
        "key": key,
        "name": segment.name,
        "version": segment.version,
        "requires": segment.requires,
        "facts": facts_document(segment.facts),
        "members": rows,
        "size": offset,
    }
    header = json.dumps(document, separators=(",", ":")).encode()
    digest = hashlib.sha256()
    file.write(_MAGIC + hashlib.sha256(header).digest() + bytes(_DIGEST) + _LENGTH.pack(len(header)) + header)
    for _, data in each_with_data(segment.members):
        digest.update(data)
        file.write(data)
    file.seek(len(_MAGIC) + _DIGEST)
    file.write(digest.digest())


def read_segment(file: BinaryIO, path: Path, key: str, *, whole: bool) -> Segment:
    """The segment of a file, its header checked, and with ``whole`` every byte of its data.

    Raises DamagedSegmentError.
    """
    start = file.read(len(_MAGIC) + 2 * _DIGEST + _LENGTH.size)
    if not start.startswith(_MAGIC):
        raise DamagedSegmentError
    try:
        (length,) = _LENGTH.unpack(start[-_LENGTH.size :])
        header = file.read(min(length, os.fstat(file.fileno()).st_size))
        header_digest, data_digest = start[len(_MAGIC) :][:_DIGEST], start[len(_MAGIC) + _DIGEST :][:_DIGEST]
        if hashlib.sha256(header).digest() != header_digest:
            raise DamagedSegmentError
        document = json.loads(header)
        begin = len(start) + length
        if document["key"] != key or os.fstat(file.fileno()).st_size != begin + document["size"]:
            raise DamagedSegmentError
        if whole and _digest(file) != data_digest:
            raise DamagedSegmentError
        return _segment(document, path, begin)
    except (struct.error, KeyError, TypeError, ValueError) as error:
        raise DamagedSegmentError from error


def _digest(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.digest()


def _segment(document: Mapping[str, Any], path: Path, begin: int) -> Segment:
    members = tuple(
        Member(  # the fields by name and not by _FIELDS: a layer has thousands of members
            path=name,
            mode=mode,
            size=size,
            crc32=crc32,
            sha256=sha256,
            method=method,
            compressed_size=compressed_size,
            data=Slice(path, begin + offset),
        )
        for name, mode, size, crc32, sha256, method, compressed_size, offset in document["members"]
    )
    return Segment(
        name=document["name"],
        version=document["version"],
        requires=tuple(document["requires"]),
        members=members,
        facts=parse_facts(document["facts"]),
    )
