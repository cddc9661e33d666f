"""Requirements files: what their lines mean, and which other files they name.

https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_REFERENCE = re.compile(r"(?:-r|--requirement|(-c|--constraint))(?:\s*=\s*|\s+)?(\S.*)")
_COMMENT = re.compile(r"(^|\s)#.*")
_NO_BINARY = re.compile(r"--no-binary(?:\s*=\s*|\s+)(\S+)")
_EDITABLE = ("-e ", "-e=", "--editable ", "--editable=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A ``-r`` or ``-c`` line."""

    path: str
    """As written: relative to the file that holds it."""
    line: int
    constrains: bool
    """Whether it only says which versions to take, of what others require."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What requirements files say together, however they are written."""

    options: tuple[str, ...]
    """In their order, which matters among indexes."""
    requirements: tuple[str, ...]
    """Sorted; folders and hashes with them."""
    constraints: tuple[str, ...]
    """Sorted."""

    @property
    def built_from_source(self) -> frozenset[str]:
        """The names that ``--no-binary`` gives; ``:all:`` is one."""
        found = (match[1] for option in self.options if (match := _NO_BINARY.fullmatch(option)))
        return frozenset(name for names in found for name in names.split(","))


def references(text: str) -> Iterator[Reference]:
    """The other files that a requirements file names, in order."""
    for number, line in enumerate(text.splitlines(), start=1):
        match = _REFERENCE.fullmatch(_COMMENT.sub("", line).strip())
        if match is not None and "://" not in match[2]:
            yield Reference(path=match[2].strip("'\""), line=number, constrains=match[1] is not None)


def requirement_lines(text: str) -> Iterator[str]:
    """The requirements themselves, without options, comments and hashes."""
    for line in _logical_lines(text):
        if not line.startswith("-"):
            yield line.partition(" --hash")[0].strip()


def meaning_of(files: Iterable[tuple[str, bool]]) -> Meaning:
    """The meaning of texts, each with whether it holds constraints; what they name with -r and -c is among them."""
    options: list[str] = []
    sorts: dict[bool, set[str]] = {True: set(), False: set()}
    for text, constrains in files:
        for line in _logical_lines(text):
            match = _REFERENCE.fullmatch(line)
            if line.startswith("-") and not line.startswith(_EDITABLE) and (match is None or "://" in match[2]):
                options.append(line)
            elif match is None:
                sorts[constrains].add(line)
    return Meaning(
        options=tuple(options), requirements=tuple(sorted(sorts[False])), constraints=tuple(sorted(sorts[True]))
    )


def _logical_lines(text: str) -> Iterator[str]:
    """Lines that are continued as one, without comments, blanks as one space."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        stripped = " ".join(_COMMENT.sub("", line).split())
        if stripped:
            yield stripped
