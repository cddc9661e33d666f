"""Requirements files: what their lines mean, and which other files they name.

https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lambdabuild.errors import PolicyError
from lambdabuild.model.requirements import Pin, normalized
from lambdabuild.values import dataclass

_REFERENCE = re.compile(r"(?:-r|--requirement|(-c|--constraint))(?:\s*=\s*|\s+)?(\S.*)")
_COMMENT = re.compile(r"(^|\s)#.*")
_NO_BINARY = re.compile(r"--no-binary(?:\s*=\s*|\s+)(\S+)")
_HASH = re.compile(r"--hash[= ](\w+):([0-9a-fA-F]+)")
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
    def hashes(self) -> dict[str, frozenset[str]]:
        """The sha256 (hex) of the files that may be taken, by name of those that have hashes."""
        found: dict[str, frozenset[str]] = {}
        for line in (*self.requirements, *self.constraints):
            told = _HASH.findall(line)
            name = _name(line.partition(" --hash")[0]) if told else None
            if name is not None:
                of_line = {value.lower() for algorithm, value in told if algorithm.lower() == "sha256"}
                found[name] = found.get(name, frozenset()) | of_line
        return found

    @property
    def built_from_source(self) -> frozenset[str]:
        """The names that ``--no-binary`` gives; ``:all:`` is one."""
        found = (match[1] for option in self.options if (match := _NO_BINARY.fullmatch(option)))
        return frozenset(name for names in found for name in names.split(","))


def check_hashes(pins: Iterable[Pin], meaning: Meaning, *, what: str) -> None:
    """Raise PolicyError where a file is taken whose hash the requirements do not name though they name others, or,
    with ``--require-hashes``, none; ``what`` names the requirements.

    https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode
    """
    hashes, required = meaning.hashes, "--require-hashes" in meaning.options
    for pin in pins:
        if pin.name in hashes and pin.sha256 not in hashes[pin.name]:
            named = (
                "".join(f"\n  expected sha256 {one}" for one in sorted(hashes[pin.name])) or "\n  no sha256 is named"
            )
            raise PolicyError(
                f"{pin}: {pin.filename} has another hash than {what} names{named}\n"
                f"  found    sha256 {pin.sha256 or 'none'}",
                hint="the file is not the one that was meant: do not use it before you know why",
                code="hash-mismatch",
            )
        if required and pin.name not in hashes:
            raise PolicyError(
                f"{pin}: {what} says --require-hashes and names no hash for it",
                hint=f"write {pin.name}=={pin.version} --hash=sha256:{pin.sha256} if that file is meant, or leave out "
                "--require-hashes"
                if pin.kind in ("wheel", "sdist")
                else "leave out --require-hashes: what is built from a folder or a repository has no hash",
                code="hash-mismatch",
            )


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


def _name(requirement: str) -> str | None:
    """The normalized name in a requirement; None for a path or an address without one."""
    from packaging.requirements import InvalidRequirement, Requirement  # a parser: for lines with hashes

    try:
        return normalized(Requirement(requirement).name)
    except InvalidRequirement:
        return None
