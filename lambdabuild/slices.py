"""Reading the data of members, wherever it lies: the one place that opens the file behind a slice."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from lambdabuild.errors import MachineError
from lambdabuild.model.segment import Member


def each_with_data(members: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
    """The members with their packed data; a file is opened once for a run of members that lie in it.

    Raises MachineError where a file ends before the data does.
    """
    with ExitStack() as stack:
        opened, descriptor = None, -1
        for member in members:
            if isinstance(member.data, bytes):
                yield member, member.data
                continue
            file, offset = member.data.file, member.data.offset
            if file != opened:
                stack.close()
                descriptor = stack.enter_context(file.open("rb", buffering=0)).fileno()
                opened = file
            data = os.pread(descriptor, member.compressed_size, offset)
            if len(data) != member.compressed_size:
                raise MachineError(f"{file} is cut off where {member.path} lies", hint="lambdabuild cache verify")
            yield member, data
