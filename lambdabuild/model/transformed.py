"""What transforms did to an artifact: bytes that bytecode costs, bytes that symbols and compression took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from lambdabuild.model.limits import format_size
from lambdabuild.model.tree import Tree
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from lambdabuild.model.report import Artifact

_FEW = 3
"""How many files a note lists; JSON lists all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbols:
    """What stripping did to the shared objects of an artifact."""

    saved: int
    """Bytes unzipped."""
    restored: tuple[tuple[str, str], ...]
    """Paths of those that keep their symbols because they break without, and how, by path."""


def bytecode_size(tree: Tree) -> int:
    """Bytes of bytecode in a tree."""
    return sum(entry.member.size for path, entry in tree.entries.items() if path.endswith(".pyc"))


def stripped_symbols(tree: Tree, saved: Mapping[str, int], restored: Mapping[str, Mapping[str, str]]) -> Symbols:
    """What was saved in a tree, by the sha256 of its files, and what was restored, by owner and end of its path."""
    kept = tuple(
        (path, why)
        for path, entry in tree.entries.items()
        for original, why in restored.get(entry.owner, {}).items()
        if path == original or path.endswith(f"/{original}")
    )
    return Symbols(saved=sum(saved.get(entry.member.sha256, 0) for entry in tree.entries.values()), restored=kept)


def transformed_lines(artifacts: Iterable[Artifact]) -> Iterator[str]:
    """What bytecode costs and what symbols and compression took, a line each, where there is anything of it."""
    artifacts = tuple(artifacts)
    for python in dict.fromkeys(one.provenance.bytecode for one in artifacts if one.provenance.bytecode):
        made = [one for one in artifacts if one.provenance.bytecode == python]
        sizes = ", ".join(f"{one.file} {format_size(one.bytecode_size)}" for one in made)
        yield f"bytecode of Python {python}: {sizes} unzipped"
    saved = [(one.file, one.symbols.saved) for one in artifacts if one.symbols and one.symbols.saved]
    if saved:
        yield "symbols left out: " + ", ".join(f"{file} {format_size(size)}" for file, size in saved) + " unzipped"
    smaller = [(one.file, one.recompressed, one.zipped_size) for one in artifacts if one.recompressed]
    if smaller:
        shares = (f"{file} {format_size(less)} less ({less / (less + size):.1%})" for file, less, size in smaller)
        yield 'compression = "small": ' + ", ".join(shares)


def restored_notes(artifacts: Iterable[Artifact]) -> Iterator[str]:
    """Of each artifact the shared objects that keep their symbols, because they break without."""
    for artifact in artifacts:
        restored = artifact.symbols.restored if artifact.symbols else ()
        if restored:
            told = "; ".join(f"{path} ({why})" for path, why in restored[:_FEW])
            more = f"; and {len(restored) - _FEW} more" if len(restored) > _FEW else ""
            yield f"{artifact.file} has shared objects that break without their symbols, and keep them: {told}{more}"
