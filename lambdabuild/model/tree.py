"""A tree: the description of an artifact, sorted entries that point into segments or sources. Pure set algebra."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping

from lambdabuild.errors import PolicyError
from lambdabuild.model.limits import Finding, Sized
from lambdabuild.model.patterns import Rules
from lambdabuild.model.segment import Member, Segment, renamed
from lambdabuild.values import dataclass

SOURCES = "(sources)"
"""The owner of application code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A member at its place in an artifact, and who brought it."""

    member: Member
    owner: str


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of one artifact: entries by path, in the byte order of the paths."""

    entries: Mapping[str, Entry]

    @property
    def members(self) -> Iterator[Member]:
        """The members in their order in the archive."""
        return (entry.member for entry in self.entries.values())

    @property
    def unzipped_size(self) -> int:
        """Sum of file sizes, as Lambda counts them."""
        return sum(entry.member.size for entry in self.entries.values())

    @property
    def content_digest(self) -> str:
        """sha256 over path, mode and content of every file: equal for equal content, whatever the compressor."""
        digest = hashlib.sha256()
        for path, entry in self.entries.items():
            digest.update(f"{entry.member.mode:o} {entry.member.sha256} {path}\0".encode())
        return digest.hexdigest()

    def shares(self) -> dict[str, int]:
        """Bytes by owner."""
        shares: dict[str, int] = {}
        for entry in self.entries.values():
            shares[entry.owner] = shares.get(entry.owner, 0) + entry.member.size
        return shares

    def sized(self, name: str) -> Sized:
        return Sized(name=name, unzipped_size=self.unzipped_size, shares=self.shares())


def segment_tree(segments: Iterable[Segment], rules: Rules, kept: Container[str] = ()) -> Tree:
    """The union of the distributions' files that the rules take or that are ``kept``.

    Two distributions that bring the same bytes to one path share it; different bytes raise PolicyError with every
    such path and both owners, because which of them an installer leaves there is chance.
    """
    entries: dict[str, Entry] = {}
    collisions = []
    for segment in sorted(segments, key=lambda segment: segment.name):
        owner = f"{segment.name} {segment.version}"
        for member in segment.members:
            if not (rules.takes(member.path) or member.path in kept):
                continue
            other = entries.setdefault(member.path, Entry(member=member, owner=owner))
            if other.member.sha256 != member.sha256:
                collisions.append(f"{member.path}: {other.owner} and {owner} bring different files")
    if collisions:
        raise PolicyError(
            "\n".join(collisions),
            hint="leave one of the distributions out, or the path with an exclude pattern",
            code="collision",
        )
    return _sorted(entries)


def source_tree(members: Iterable[Member]) -> Tree:
    """Application code; the members are already selected."""
    return _sorted({member.path: Entry(member=member, owner=SOURCES) for member in members})


def prefixed(tree: Tree, prefix: str) -> Tree:
    """The same files below a folder (``"python/"``)."""
    if not prefix:
        return tree
    return Tree(
        {  # in the order that they have
            prefix + path: Entry(member=renamed(entry.member, prefix + path), owner=entry.owner)
            for path, entry in tree.entries.items()
        }
    )


def with_added(tree: Tree, members: Iterable[Member], *, owner: str) -> Tree:
    """The tree and these files of an owner, which replace what stands at their paths."""
    return _sorted({**tree.entries, **{one.path: Entry(member=one, owner=owner) for one in members}})


def overlaid(below: Tree, above: Tree, *, name: str) -> tuple[Tree, list[Finding]]:
    """Both trees in one archive; where they meet the one above wins, as /var/task wins over layers, with a warning."""
    findings = [
        Finding(
            severity="warning",
            code="hidden-module",
            message=f"{name}: {path} of the sources hides the one of {_shown(below.entries[path].owner)}",
            hint="rename the module, or exclude one of the two",
            lint=True,
        )
        for path, entry in above.entries.items()
        if path in below.entries and below.entries[path].member.sha256 != entry.member.sha256
    ]
    return _sorted({**below.entries, **above.entries}), findings


def _shown(owner: str) -> str:
    return "a layer's code" if owner == SOURCES else owner


def _sorted(entries: Mapping[str, Entry]) -> Tree:
    return Tree({path: entries[path] for path in sorted(entries, key=str.encode)})
