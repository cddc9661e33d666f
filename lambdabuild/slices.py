"""Reading the data of members, wherever it lies: the one place that opens the file behind a slice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from lambdabuild.model.segment import Member


def each_with_data(members: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
    """The members with their packed data; a file is opened once for a run of members that lie in it."""
    with ExitStack() as stack:
        opened: Path | None = None
        for member in members:
            if isinstance(member.data, bytes):
                yield member, member.data
                continue
            if member.data.file != opened:
                stack.close()
                file = stack.enter_context(member.data.file.open("rb"))
                opened = member.data.file
            file.seek(member.data.offset)
            yield member, file.read(member.compressed_size)
