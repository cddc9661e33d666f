"""What of the distributions is not in an artifact, which rule left it out, and the pattern that brings it back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lambdabuild.model.graph import SDK
from lambdabuild.model.patterns import PatternList, parse_patterns
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.treatment import Slimming
from lambdabuild.model.tree import SOURCES, Tree
from lambdabuild.model.typed import quote
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.model.hints import Advice
    from lambdabuild.model.verification import Removed

LEFT_SDK = 'boto3 = "runtime"'
"""The rule that leaves out what the runtime has in a version of its own; no pattern brings it back."""
_METADATA = (".dist-info", ".egg-info")
_TESTS = ("tests", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Why files of an artifact may be left out."""

    exclude: tuple[str, ...]
    slimming: Slimming
    reachable: bool = False
    """Whether sources are left out that the handler's imports do not reach."""
    leaves_sdk: bool = False
    """Whether the AWS SDK may be left to the runtime."""

    @property
    def patterns(self) -> PatternList:
        return parse_patterns(self.exclude, origin="exclude")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Where the files of an artifact come from, and what is not in it."""

    owners: Mapping[str, str]
    """By path in the archive."""
    removed: tuple[Removed, ...]
    advice: Advice | None = None


def removed_members(
    tree: Tree, segments: Iterable[Segment], code: Iterable[Member], reasons: Reasons, *, root: str
) -> tuple[Removed, ...]:
    """The files of the tree's distributions and of the code that are not in the tree, by path.

    ``root`` is what the tree's paths begin with. Of the segments that have nothing in the tree, those count that are
    nothing but metadata, and those of an SDK that is left to the runtime.
    """
    owners = {entry.owner for entry in tree.entries.values()}
    brought: dict[str, tuple[Member, str]] = {}
    for segment in segments:
        owner = f"{segment.name} {segment.version}"
        left = reasons.leaves_sdk and segment.name in SDK
        if left or owner in owners or all(_is_metadata(member.path) for member in segment.members):
            brought |= {member.path: (member, owner) for member in segment.members}
    brought |= {member.path: (member, SOURCES) for member in code}
    patterns = reasons.patterns
    return tuple(
        _removed(member, owner, patterns, reasons, root=root)
        for path, (member, owner) in sorted(brought.items())
        if root + path not in tree.entries
    )


def over(layers: Iterable[tuple[Removed, ...]], present: Mapping[str, object]) -> tuple[Removed, ...]:
    """What several layers, the later over the earlier, leave out of all of them together."""
    last = {removed.member.path: removed for layer in layers for removed in layer}
    return tuple(removed for path, removed in last.items() if path not in present)


def _removed(member: Member, owner: str, patterns: PatternList, reasons: Reasons, *, root: str) -> Removed:
    from lambdabuild.model.verification import Removed  # where something failed

    if reasons.leaves_sdk and owner.partition(" ")[0] in SDK:
        return Removed(member=replace(member, path=root + member.path), owner=owner, rule=LEFT_SDK, keep="")
    rule, part = _find_rule(member.path, patterns, reasons, owner)
    return Removed(member=replace(member, path=root + member.path), owner=owner, rule=rule, keep=keep_pattern(part))


def _find_rule(path: str, patterns: PatternList, reasons: Reasons, owner: str) -> tuple[str, str]:
    """The rule that left a file out, and what of the path it holds for: a folder, with a slash, or all of it."""
    for part in _from_the_top(path):
        found = patterns.find(part.rstrip("/"), folder=part.endswith("/"))
        if found is not None and not found.negated:
            return f'exclude "{found.text}"', part
        name = part.rstrip("/").rpartition("/")[2]
        if part.endswith("/") and name.endswith(_METADATA):
            return f'dist-info = "{reasons.slimming.dist_info}"', part
        if part.endswith("/") and name in _TESTS:
            return f'tests = "{reasons.slimming.tests}"', part
    if owner == SOURCES and reasons.reachable:
        return 'sources = "reachable"', path
    return "a built-in rule", path


def _from_the_top(path: str) -> Iterator[str]:
    """The folders above a path, each with a slash, and the path."""
    for slash in re.finditer("/", path):
        yield path[: slash.end()]
    yield path


def keep_pattern(path: str) -> str:
    """The pattern for this file or, with a slash at its end, folder alone; for metadata that of any version."""
    folder = path.rstrip("/")
    if folder.endswith(_METADATA) and "/" not in folder and "-" in folder:
        return f"{folder.partition('-')[0]}-*{folder[folder.rindex('.') :]}/"
    escaped = re.sub(r"[\\*?\[]|(?<=^)[!#]| $", r"\\\g<0>", path)
    return escaped if "/" in folder else f"/{escaped}"


def keep_line(patterns: Iterable[str]) -> str:
    """The line of the configuration that keeps what these patterns name."""
    return f"keep = [{', '.join(map(_quoted, dict.fromkeys(patterns)))}]"


def _quoted(pattern: str) -> str:
    """A TOML string: literal where that is simpler to read."""
    return f"'{pattern}'" if "\\" in pattern and "'" not in pattern else quote(pattern)


def _is_metadata(path: str) -> bool:
    return path.partition("/")[0].endswith(_METADATA)
