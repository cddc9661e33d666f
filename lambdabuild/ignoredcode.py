"""Code that a .gitignore leaves out: an error where other code imports it, a note where only patterns could tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from lambdabuild.errors import UsageError
from lambdabuild.model.limits import Finding
from lambdabuild.model.lint import listed
from lambdabuild.model.reachable import find_lost
from lambdabuild.model.removal import keep_line, keep_pattern
from lambdabuild.model.sources import Collected
from lambdabuild.sourcefiles import Ignored


def refuse_lost(
    owner: str,
    starts: Iterable[str],
    modules: Mapping[str, Path],
    ignored: Sequence[Ignored],
    *,
    read: Callable[[Path], bytes],
    place: Callable[[str], Path],
) -> None:
    """Raise UsageError where code imports what a .gitignore leaves out, from these modules on.

    An import that may fail is none: a version file that only a built distribution has is often read so. ``modules``
    are those that are packaged, and ``place`` tells where a path of the archive lies in the project.
    """
    names = [name for one in ignored if (name := Path(one.path).name.partition(".")[0]).isidentifier()]
    mentioned = re.compile("|".join(rf"\b{name}\b" for name in sorted(names)).encode())
    if not names or not any(mentioned.search(read(path)) for path in modules.values()):
        return

    def is_lost(path: str) -> bool:
        return _cause(path, ignored) is not None and place(path).is_file()

    lost = find_lost(starts, modules, lambda path: read(modules[path]), is_lost)
    rows, keep = [], []
    for path, importer in sorted(lost.items()):
        cause = _cause(path, ignored)
        if cause is not None:
            rows.append(f"{owner}: {importer} imports {path}, which is left out by {cause.pattern}")
            keep.append(keep_pattern(cause.path))
    if rows:
        raise UsageError("\n".join(rows), hint=f"{keep_line(keep)} takes it all the same")


def ignored_note(file: str, collected: Collected) -> tuple[Finding, ...]:
    """A note of what an artifact has not, where there is no git to say whether it is ignored."""
    if collected.ignore_rule != "gitignore" or not collected.ignored:
        return ()
    return (
        Finding(
            severity="note",
            code="ignored",
            message=f"{file} leaves out what .gitignore names: {listed(collected.ignored)}; without "
            "a git repository nothing tells whether git tracks it",
            hint=f"{keep_line([keep_pattern(collected.ignored[0])])} takes it, gitignore = false takes all",
        ),
    )


def _cause(path: str, ignored: Iterable[Ignored]) -> Ignored | None:
    for one in ignored:
        if path == one.path or (one.path.endswith("/") and path.startswith(one.path)):
            return one
    return None
