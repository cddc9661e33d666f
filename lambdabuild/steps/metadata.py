"""The metadata of distributions made whole: the names that each is imported by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lambdabuild.model.segment import Segment
from lambdabuild.model.treatment import Slimming
from lambdabuild.zipformat import pack

_MODULES = (".py", ".so", ".pyc")


def with_top_level(segments: Iterable[Segment], slimming: Slimming) -> tuple[Segment, ...]:
    """The distributions, each with a top_level.txt.

    One that has none, or an empty one, gets it from its modules, unless metadata is kept or left out as it is. What is
    imported from which distribution (``importlib.metadata.packages_distributions``) is then known without the lists of
    files, which slimming leaves out.
    """
    return tuple(map(_with_top_level, segments)) if slimming.dist_info == "auto" else tuple(segments)


def _with_top_level(segment: Segment) -> Segment:
    folder = next((one.path.removesuffix("METADATA") for one in segment.members if _is_metadata(one.path)), None)
    names = top_level_names(one.path for one in segment.members)
    if folder is None or not names:
        return segment
    path = f"{folder}top_level.txt"
    present = next((one for one in segment.members if one.path == path), None)
    if present is not None and present.size > 1:
        return segment
    made = pack(path, 0o644, "".join(f"{name}\n" for name in names).encode())
    members = (*(one for one in segment.members if one is not present), made)
    return replace(segment, members=tuple(sorted(members, key=lambda one: one.path.encode())))


def top_level_names(paths: Iterable[str]) -> tuple[str, ...]:
    """The names that a distribution with these files is imported by, sorted."""
    modules = [path for path in paths if path.endswith(_MODULES)]
    found = set()
    for path in modules:
        first, slash, _ = path.partition("/")
        if first == "bin" and "bin/__init__.py" not in modules:
            continue
        name = first if slash else first.partition(".")[0]
        if name.isidentifier() and not name.startswith("__"):
            found.add(name)
    return tuple(sorted(found))


def _is_metadata(path: str) -> bool:
    return path.endswith(".dist-info/METADATA") and path.count("/") == 1
