"""A segment: the files of one installed distribution for one target, each already deflated, immutable."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from lambdabuild.model.facts import Facts
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from lambdabuild.values import dataclass

SEGMENT_FORMAT = 6
"""Raised whenever the same input would give other bytes, or other facts."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes in a file: where a member's data lies, ready to be copied into an archive."""

    file: Path
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file as it stands in an archive: its content's identity and its data, deflated or stored."""

    path: str
    """Relative, with ``/``; UTF-8."""
    mode: int
    """0o644 or 0o755."""
    size: int
    crc32: int
    sha256: str
    """Of the content, hex."""
    method: int
    """0 stored, 8 deflated (APPNOTE 4.4.5)."""
    compressed_size: int
    data: Slice | bytes


def renamed(member: Member, path: str) -> Member:
    """The same file at another path; ``replace`` takes half as long again, and a layer has thousands of files."""
    return Member(
        path=path,
        mode=member.mode,
        size=member.size,
        crc32=member.crc32,
        sha256=member.sha256,
        method=member.method,
        compressed_size=member.compressed_size,
        data=member.data,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The members of one distribution, by path."""

    name: str
    version: str
    requires: tuple[str, ...]
    """What it requires of others, as its metadata tells (Requires-Dist)."""
    members: tuple[Member, ...]
    facts: Facts = Facts()


def segment_key(pin: Pin, target: Target, *, uv: str, compressor: str, image: str | None, recipe: str | None) -> str:
    """The name of a segment in the cache, hex: everything that its bytes and facts depend on, and no path, name or
    time besides.

    ``image`` is the digest of the image it is installed in, None without a container; ``recipe`` that of what makes a
    compiler out of it, for what is built there.
    """
    inputs = (
        f"format {SEGMENT_FORMAT}",
        f"{pin.kind} {pin.name} {pin.version} {pin.commit or pin.sha256} {pin.subdirectory or '-'}",
        f"target {target.runtime.name} {target.uv_platform}",
        f"uv {uv}",
        f"compressor {compressor}",
        f"image {image or '-'}",
        f"recipe {recipe or '-'}",
    )
    return hashlib.sha256("\n".join(inputs).encode()).hexdigest()


def launcher_for_runtime(data: bytes, python: str) -> bytes:
    """A script of ``bin/`` with the shebang that finds Python in the runtime, whichever interpreter installed it."""
    body = launcher_body(data)
    return data if body is None else runtime_shebang(python) + body


def runtime_shebang(python: str) -> bytes:
    """The first line of a script that the Python of the runtime runs."""
    return f"#!/var/lang/bin/python{python}\n".encode()


def launcher_body(data: bytes) -> bytes | None:
    """A script without the shebang by which one interpreter runs it; None for any other file.

    Installers write the path of the interpreter at hand (or, for a long path, a ``/bin/sh`` trampoline of three
    lines); both would differ from machine to machine and exist on none but theirs.
    """
    first, _, rest = data.partition(b"\n")
    if first == b"#!/bin/sh" and rest.startswith(b"'''exec' "):
        return rest.partition(b"\n")[2].partition(b"\n")[2]
    if first.startswith(b"#!/") and first.rsplit(b"/", 1)[1].startswith(b"python"):
        return rest
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """A row of a RECORD file: a path relative to the installation root and the sha256 (hex) claimed for it."""

    path: str
    sha256: str | None


def parse_record(text: str) -> tuple[RecordRow, ...]:
    """The rows of an installed distribution's RECORD.

    https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
    """
    rows = []
    for row in csv.reader(io.StringIO(text)):
        if row:
            path, digest = row[0], row[1] if len(row) > 1 else ""
            rows.append(RecordRow(path=path, sha256=_hex_sha256(digest)))
    return tuple(rows)


def format_record(rows: Iterable[RecordRow], sizes: Mapping[str, int]) -> str:
    """A RECORD in canonical form: by path, one row a file, the hash of each row that has one."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in sorted(rows, key=lambda row: row.path):
        if row.sha256 is None:
            writer.writerow((row.path, "", ""))
        else:
            digest = base64.urlsafe_b64encode(bytes.fromhex(row.sha256)).rstrip(b"=").decode()
            writer.writerow((row.path, f"sha256={digest}", sizes[row.path]))
    return out.getvalue()


def _hex_sha256(field: str) -> str | None:
    algorithm, _, digest = field.partition("=")
    if algorithm != "sha256":
        return None
    return base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
