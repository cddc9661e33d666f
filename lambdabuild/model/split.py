"""One layer that is too large for a direct upload, as several that are not."""

from __future__ import annotations

from collections.abc import Mapping

from lambdabuild.errors import PolicyError
from lambdabuild.model.limits import MAX_LAYERS, MAX_ZIPPED
from lambdabuild.model.tree import Entry, Tree

_PER_MEMBER = 30 + 46
"""Bytes of a member's two headers, to which its path comes twice (APPNOTE 4.3.7, 4.3.12)."""
_PER_ARCHIVE = 22


def split_tree(tree: Tree, *, name: str) -> tuple[Tree, ...]:
    """The tree in as few parts as fit the direct upload each, every distribution whole in one of them.

    Largest first, each into the first part that has room. Raises PolicyError when one distribution alone does not
    fit, or when it takes more parts than a function may have layers.
    """
    owned: dict[str, dict[str, Entry]] = {}
    for path, entry in tree.entries.items():
        owned.setdefault(entry.owner, {})[path] = entry
    sizes = {owner: _packed_size(entries) for owner, entries in owned.items()}
    parts: list[list[str]] = []
    for owner in sorted(owned, key=lambda owner: (-sizes[owner], owner)):
        alone = _size([owner], sizes)
        if alone > MAX_ZIPPED:
            raise PolicyError(
                f"{name} cannot be split for a direct upload: {owner} alone has {alone:,} bytes zipped, "
                f"and {MAX_ZIPPED:,} is the limit",
                hint="upload the layer through S3, which has no such limit",
            )
        fitting = (part for part in parts if _size(part, sizes) + sizes[owner] <= MAX_ZIPPED)
        part = next(fitting, None)
        if part is None:
            parts.append([owner])
        else:
            part.append(owner)
    if len(parts) > MAX_LAYERS:
        raise PolicyError(
            f"{name} takes {len(parts)} layers of {MAX_ZIPPED:,} bytes zipped, and a function may have {MAX_LAYERS}",
            hint="upload the layer through S3, or leave out what is not imported",
        )
    return tuple(_part(tree, frozenset(part)) for part in parts)


def zipped_size(tree: Tree) -> int:
    """Bytes of the archive of a tree."""
    return _PER_ARCHIVE + _packed_size(tree.entries)


def _packed_size(entries: Mapping[str, Entry]) -> int:
    """Bytes that entries take in an archive."""
    return sum(_PER_MEMBER + 2 * len(path.encode()) + entry.member.compressed_size for path, entry in entries.items())


def _size(part: list[str], sizes: Mapping[str, int]) -> int:
    return _PER_ARCHIVE + sum(sizes[owner] for owner in part)


def _part(tree: Tree, owners: frozenset[str]) -> Tree:
    return Tree({path: entry for path, entry in tree.entries.items() if entry.owner in owners})
