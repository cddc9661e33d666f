"""A wheel that was built here is written anew before it is kept: the same files give the same bytes on every machine,
whichever compressor, order and dates its build backend had."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lambdabuild.model.segment import Member, RecordRow, format_record
from lambdabuild.wheels.content import read_content
from lambdabuild.wheels.metadata import find_dist_info, identify
from lambdabuild.wheels.wheelzip import read_members
from lambdabuild.zipformat import pack, write_zip


def repack(wheel: Path, filename: str, out: BinaryIO) -> str:
    """Write the files of a wheel by their paths, then a RECORD that lists them all, and give the sha256 of what was
    written; one file at a time is in memory. What the backend wrote into RECORD does not count: not every backend
    writes hashes, and installers do not mind.

    Raises PolicyError for a wheel that two readers could read differently.
    """
    descriptor = os.open(wheel, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return write_zip(out, _packed(descriptor, filename))
    finally:
        os.close(descriptor)


def _packed(descriptor: int, filename: str) -> Iterator[Member]:
    members = {member.name: member for member in read_members(descriptor, filename)}
    record = f"{find_dist_info(members, filename, identify(filename))}/RECORD"
    rows, sizes = [RecordRow(path=record, sha256=None)], {}
    for name in sorted(members.keys() - {record}, key=str.encode):
        content = bytes(read_content(descriptor, members[name], filename))
        packed = pack(name, 0o755 if members[name].executable else 0o644, content)
        rows.append(RecordRow(path=name, sha256=packed.sha256))
        sizes[name] = packed.size
        yield packed
    yield pack(record, 0o644, format_record(rows, sizes).encode())
