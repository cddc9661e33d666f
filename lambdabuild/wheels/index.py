"""From a wheel to what installing it lays down: every member checked, those that are deflated left where they are.

The result depends on the wheel's bytes and name alone, so it serves every target; what differs between targets, the
first line of launchers and the RECORD that tells of them, is made when a target asks.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from lambdabuild.budget import Budget
from lambdabuild.model.evidence import of_distribution
from lambdabuild.model.facts import Facts, merge
from lambdabuild.model.segment import Member, RecordRow, Segment, format_record
from lambdabuild.values import dataclass
from lambdabuild.wheels.launchers import Launcher, launcher_member
from lambdabuild.wheels.reading import Inspect, InstalledMember, Opened, open_wheel
from lambdabuild.wheels.wheelfile import WheelFile
from lambdabuild.wheels.wheelzip import ZipMember
from lambdabuild.zipformat import pack

_MOST_OPEN = 16
"""Wheels whose members are being read: enough that no core waits while the next is opened."""
_MEMORY = 88 << 20
"""Bytes that members, and what they unpack to, take at once."""
_BATCH = 1 << 20
"""Bytes unpacked that a thread reads one member after the other before it is given more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelIndex:
    """What a wheel lays down, for any target."""

    name: str
    """Normalized."""
    version: str
    requires: tuple[str, ...]
    """What it requires of others, as its metadata tells (Requires-Dist)."""
    requires_python: str
    """The Pythons that it is for, as its metadata tells (Requires-Python); empty where it does not."""
    record: str
    """Path of RECORD."""
    members: tuple[Member, ...]
    """By path, but for launchers, and for RECORD where there are any; their data lies in the wheel, or in memory
    where it was packed anew."""
    launchers: tuple[Launcher, ...] = ()
    facts: Facts = Facts()

    @property
    def packed(self) -> int:
        """Bytes of those that are in memory."""
        return sum(len(member.data) for member in self.members if isinstance(member.data, bytes))


def installed(index: WheelIndex, python: str) -> Segment:
    """The files of a wheel for the runtime of this Python version, ``3.13``."""
    members = index.members
    if index.launchers:
        made = (launcher_member(launcher, python) for launcher in index.launchers)
        members = _with_record((*members, *made), index.record)
    return Segment(name=index.name, version=index.version, requires=index.requires, members=members, facts=index.facts)


def index_wheels(wheels: Iterable[WheelFile], *, inspect: Inspect) -> Iterator[WheelIndex]:
    """The index of each wheel, in their order, read on all cores: at most one member a thread is in memory at a time.

    Raises PolicyError for a wheel that is not what it claims, at its first member that is not.
    """
    with ExitStack() as stack:
        pool, budget = ThreadPoolExecutor(os.cpu_count()), Budget(_MEMORY)
        started: deque[tuple[Opened, Iterator[list[InstalledMember]]]] = deque()
        stack.callback(_close, started)
        stack.callback(pool.shutdown, cancel_futures=True)
        for wheel in wheels:
            if len(started) == _MOST_OPEN:
                yield _finish(started)
            opened = open_wheel(wheel.path, wheel.filename)
            started.append((opened, iter(())))
            started[-1] = opened, pool.map(partial(_read, opened, inspect, budget), _batches(opened.members))
        while started:
            yield _finish(started)


def index_wheel(wheel: WheelFile, *, inspect: Inspect) -> WheelIndex:
    """The index of one wheel."""
    (index,) = index_wheels((wheel,), inspect=inspect)
    return index


def _batches(members: Iterable[ZipMember]) -> Iterator[list[ZipMember]]:
    """Members for one thread to read: handing over thousands of small ones, each alone, takes a fifth of the time."""
    batch: list[ZipMember] = []
    size = 0
    for member in members:
        batch.append(member)
        size += member.size
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read(opened: Opened, inspect: Inspect, budget: Budget, batch: list[ZipMember]) -> list[InstalledMember]:
    with budget.taking(max(member.size + member.compressed_size for member in batch)):
        return [opened.read(member, inspect=inspect) for member in batch]


def _close(started: Iterable[tuple[Opened, Iterator[list[InstalledMember]]]]) -> None:
    for opened, _ in started:
        opened.close()


def _finish(started: deque[tuple[Opened, Iterator[list[InstalledMember]]]]) -> WheelIndex:
    opened, reading = started[0]
    files = sorted((file for batch in reading for file in batch if file.path), key=lambda file: file.path.encode())
    opened.close()
    started.popleft()
    members = tuple(file.member for file in files if file.member is not None)
    launchers = (*opened.launchers, *(file.launcher for file in files if file.launcher is not None))
    return WheelIndex(
        name=opened.name,
        version=opened.metadata.version,
        requires=opened.metadata.requires,
        requires_python=opened.metadata.requires_python,
        record=opened.record,
        members=members if launchers else _with_record(members, opened.record),
        launchers=launchers,
        facts=of_distribution(merge(file.facts for file in files), [file.path for file in files]),
    )


def _with_record(members: tuple[Member, ...], path: str) -> tuple[Member, ...]:
    """The members by path, with a RECORD in canonical form that lists them all."""
    rows = [RecordRow(path=member.path, sha256=member.sha256) for member in members]
    sizes = {member.path: member.size for member in members}
    text = format_record((*rows, RecordRow(path=path, sha256=None)), sizes)
    return tuple(sorted((*members, pack(path, 0o644, text.encode())), key=lambda member: member.path.encode()))
