"""The names of a wheel's members: paths below the folder of the installation, each of one file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lambdabuild.errors import PolicyError

LONGEST_NAME, LONGEST_COMPONENT = 1024, 255
"""Bytes of a member's name and of a part of it; file systems take no longer part."""
_DRIVE = re.compile(r"[A-Za-z]:")


def refusal(wheel: str, problem: str, member: str | None = None) -> PolicyError:
    """The error for a wheel that is not installed as it is, nor at all."""
    place = wheel if member is None else f"{wheel}: {member!r}"
    name = wheel.partition("-")[0]
    return PolicyError(
        f"{place} {problem}",
        hint=f"the wheel is damaged, badly made, or made to deceive; choose another version of {name}",
    )


def decode_name(raw: bytes, wheel: str, *, marked: bool) -> str:
    """The name that a zip has for a member; ``marked`` as UTF-8, or else ASCII.

    Raises PolicyError for one that is no relative path below its root, or that systems would read differently.
    """
    try:
        name = raw.decode() if marked else raw.decode("ascii")
    except UnicodeDecodeError:
        problem = "said to be UTF-8 and is not" if marked else "not ASCII and not marked as UTF-8"
        raise refusal(wheel, f"has a member whose name is {problem}: {raw!r}") from None
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or ".." in parts or _DRIVE.match(name):
        raise refusal(wheel, "is a path that leaves the folder that it is installed to", name)
    if "" in parts or "." in parts:
        raise refusal(wheel, "is a path with an empty part or a part that is a dot", name)
    if "\\" in name or not name.isprintable():
        raise refusal(wheel, "is a path with a backslash or a character that cannot be shown", name)
    if len(raw) > LONGEST_NAME or any(len(part.encode()) > LONGEST_COMPONENT for part in parts):
        limits = f"{LONGEST_NAME} bytes, {LONGEST_COMPONENT} between two slashes"
        raise refusal(wheel, f"is a path that is too long; {limits} are the most", name)
    return name


def check_names(names: Sequence[str], wheel: str) -> None:
    """No name twice, and none both a file and a folder (those end with a slash)."""
    seen: set[str] = set()
    folders: set[str] = set()
    for name in names:
        bare = name.removesuffix("/")
        if bare in seen:
            raise refusal(wheel, "stands in it twice", name)
        seen.add(bare)
        if name.endswith("/"):
            folders.add(bare)
        while (bare := bare.rpartition("/")[0]) and bare not in folders:
            folders.add(bare)
    for name in names:
        if name in folders:
            raise refusal(wheel, "is a file and a folder at once", name)
