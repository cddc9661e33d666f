"""A wheel that was built here is written anew before it is kept: the same files give the same bytes on every machine,
whichever compressor, order and dates its build backend had."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lambdabuild.model.segment import Member
from lambdabuild.wheels.content import read_content
from lambdabuild.wheels.wheelzip import read_members
from lambdabuild.zipformat import pack, write_zip


def repack(wheel: Path, filename: str, out: BinaryIO) -> str:
    """Write the files of a wheel, RECORD among them as it is, by their paths, and give the sha256 of what was written;
    one file at a time is in memory.

    Raises PolicyError for a wheel that two readers could read differently.
    """
    descriptor = os.open(wheel, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return write_zip(out, _packed(descriptor, filename))
    finally:
        os.close(descriptor)


def _packed(descriptor: int, filename: str) -> Iterator[Member]:
    for member in sorted(read_members(descriptor, filename), key=lambda member: member.name.encode()):
        content = bytes(read_content(descriptor, member, filename))
        yield pack(member.name, 0o755 if member.executable else 0o644, content)
