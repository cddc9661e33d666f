"""A wheel that is being read: what its metadata tells, and each member checked and turned into what is installed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdabuild.model.facts import Facts
from lambdabuild.model.segment import Member, Slice
from lambdabuild.wheels.content import read_content
from lambdabuild.wheels.launchers import Launcher, read_entry_points, script_body, versioned_launchers
from lambdabuild.wheels.metadata import Metadata, check_wheel_version, find_dist_info, identify, read_metadata
from lambdabuild.wheels.names import refusal
from lambdabuild.wheels.record import Claim, read_record
from lambdabuild.wheels.schemes import SCRIPTS, Placed, place
from lambdabuild.wheels.wheelzip import DEFLATED, STORED, ZipMember, read_members
from lambdabuild.zipformat import pack

Inspect = Callable[[str, Any], Facts]
"""Reads the facts of a file from the path where it is installed and its content, bytes or a bytearray."""
_MOST_METADATA = 1 << 25
"""Bytes of a file of metadata, which is parsed as a whole: 160 for each of as many members as a wheel may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledMember:
    """What became of a member: a file, a launcher without its first line, or nothing (both None)."""

    member: Member | None = None
    launcher: Launcher | None = None
    facts: Facts = Facts()

    @property
    def path(self) -> str:
        one = self.member or self.launcher
        return one.path if one is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A wheel whose structure and metadata have been checked; its members have yet to be."""

    path: Path
    filename: str
    descriptor: int
    name: str
    metadata: Metadata
    record: str
    """Path of RECORD, which is not among the members: it is written anew."""
    claims: Mapping[str, Claim]
    places: Mapping[str, Placed]
    launchers: tuple[Launcher, ...]
    """Of entry points."""
    members: tuple[ZipMember, ...]

    def close(self) -> None:
        os.close(self.descriptor)

    def read(self, member: ZipMember, *, inspect: Inspect) -> InstalledMember:
        """Check a member against what its header and RECORD say of it; Raises PolicyError."""
        content = read_content(self.descriptor, member, self.filename)
        sha256 = hashlib.sha256(content).hexdigest()
        claim = self.claims.get(member.name)
        if claim is not None and not claim.holds(content, sha256):
            raise refusal(self.filename, "is not the file that its RECORD claims", member.name)
        placed = self.places.get(member.name)
        if placed is None:
            return InstalledMember()
        path, mode = placed.path, 0o755 if placed.script or member.executable else 0o644
        body = script_body(content, placeholder=placed.script) if path.startswith(SCRIPTS) else None
        if body is not None:
            launcher = Launcher(path=path, mode=mode, body=body)
            return InstalledMember(launcher=launcher, facts=inspect(path, b"#!python\n" + body))
        return InstalledMember(member=self._member(member, path, mode, content, sha256), facts=inspect(path, content))

    def _member(self, member: ZipMember, path: str, mode: int, content: bytes | bytearray, sha256: str) -> Member:
        """The file as it lies in the wheel, or packed anew where the wheel has it larger than need be or in a form
        that not every reader reads."""
        if not content or member.method not in (STORED, DEFLATED):
            return pack(path, mode, content)
        if member.method == STORED and (packed := pack(path, mode, content)).method == DEFLATED:
            return packed
        return Member(
            path=path,
            mode=mode,
            size=member.size,
            crc32=member.crc32,
            sha256=sha256,
            method=member.method,
            compressed_size=member.compressed_size,
            data=Slice(self.path, member.offset),
        )


def open_wheel(path: Path, filename: str) -> Opened:
    """Check a wheel's structure and metadata, and plan where its members go. Raises PolicyError."""
    identity = identify(filename)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        members = {member.name: member for member in read_members(descriptor, filename)}
        dist_info = find_dist_info(members, filename, identity)

        def content(name: str) -> bytes | bytearray:
            member = members.get(f"{dist_info}/{name}")
            if member is None:
                raise refusal(filename, f"has no {dist_info}/{name}")
            if member.size > _MOST_METADATA:
                raise refusal(filename, f"has {member.size:,} bytes, too many for a file of metadata", member.name)
            return read_content(descriptor, member, filename)

        check_wheel_version(content("WHEEL"), f"{dist_info}/WHEEL", filename)
        metadata = read_metadata(content("METADATA"), f"{dist_info}/METADATA", filename, identity)
        record = f"{dist_info}/RECORD"
        claims = read_record(content("RECORD"), record, members, filename)
        entry_points = f"{dist_info}/entry_points.txt"
        launchers = {}
        if entry_points in members:
            launchers = dict(read_entry_points(content("entry_points.txt"), entry_points, filename))
        places = place(members, dist_info=dist_info, distribution=identity.name, launchers=launchers, wheel=filename)
        return Opened(
            path=path,
            filename=filename,
            descriptor=descriptor,
            name=identity.name,
            metadata=metadata,
            record=record,
            claims=claims,
            places=places,
            launchers=(*(launchers[name] for name in sorted(launchers)), *versioned_launchers(launchers)),
            members=tuple(member for name, member in members.items() if name != record),
        )
    except BaseException:
        os.close(descriptor)
        raise
