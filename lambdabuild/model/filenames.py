"""File names that Lambda takes and that not every disk can have, or tell apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from lambdabuild.model.lint import Remark, listed

_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(?:\..*)?", re.IGNORECASE
)
_FORBIDDEN = frozenset('<>:"|?*')
"""https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file"""


def remark_file_names(paths: Iterable[str], *, artifact: str) -> Iterator[Remark]:
    """What is to be said of the names of an artifact's files and folders."""
    every = _with_folders(paths)
    yield from _clashing(every, artifact)
    strange = sorted(path for path in every if _is_unportable(path.rpartition("/")[2]))
    if strange:
        yield Remark(
            artifact=artifact,
            code="unportable-name",
            text=f"names that Windows cannot have, so that nobody there can unpack the archive: {listed(strange)}",
            hint="rename them, or exclude them where nothing needs them",
        )


def _is_unportable(name: str) -> bool:
    return name.endswith((".", " ")) or bool(_FORBIDDEN & set(name)) or _RESERVED.fullmatch(name) is not None


def _clashing(every: Iterable[str], artifact: str) -> Iterator[Remark]:
    """Files and folders of one folder that are one where a disk ignores case or how accents are composed."""
    spelled: dict[tuple[str, str], set[str]] = {}
    for path in every:
        folder, _, name = path.rpartition("/")
        spelled.setdefault((folder, _folded(name)), set()).add(path)
    clashes = [" and ".join(map(_told_apart, sorted(them))) for them in spelled.values() if len(them) > 1]
    if clashes:
        yield Remark(
            artifact=artifact,
            code="case-collision",
            text=f"names that are one where a disk ignores case or how accents are composed: {listed(sorted(clashes))}",
            hint="rename all but one of them: Lambda tells them apart, macOS and Windows do not",
        )


def _with_folders(paths: Iterable[str]) -> set[str]:
    """The paths and those of all folders above them."""
    every = set(paths)
    above = every
    while above := {path.rpartition("/")[0] for path in above} - every - {""}:
        every |= above
    return every


def _folded(name: str) -> str:
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def _told_apart(path: str) -> str:
    """The path as it is, or with escapes where it would look like another."""
    return path if path.isascii() else ascii(path)[1:-1]
