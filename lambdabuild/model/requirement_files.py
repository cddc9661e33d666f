"""Requirements files: which other files they name.

https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_REFERENCE = re.compile(r"(?:-r|--requirement|(-c|--constraint))(?:\s*=\s*|\s+)?(\S.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A ``-r`` or ``-c`` line."""

    path: str
    """As written: relative to the file that holds it."""
    line: int
    constrains: bool
    """Whether it only says which versions to take, of what others require."""


def references(text: str) -> Iterator[Reference]:
    """The other files that a requirements file names, in order."""
    for number, line in enumerate(text.splitlines(), start=1):
        match = _REFERENCE.fullmatch(line.partition(" #")[0].strip())
        if match is not None and "://" not in match[2]:
            yield Reference(path=match[2].strip("'\""), line=number, constrains=match[1] is not None)


def requirement_lines(text: str) -> Iterator[str]:
    """The requirements themselves, without options, comments and hashes."""
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        requirement = line.partition(" #")[0].partition(" --hash")[0].strip()
        if requirement and not requirement.startswith(("-", "#")):
            yield requirement
