"""Which files of a distribution or of the sources go into an artifact: gitignore patterns (pathspec)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pathspec import GitIgnoreSpec

DISTRIBUTION_RULES = (
    "__pycache__/",
    "*.pyc",
    "*.pyo",
    "*.dist-info/",
    "*.egg-info/",
    "tests/",
    "test/",
)
"""What slimming takes out of a distribution. Never ``testing``, ``docs`` or ``examples``: numpy.testing, botocore.docs
and others are imported by their own distributions at run time."""

SOURCE_RULES = (
    "__pycache__/",
    "*.pyc",
    "*.pyo",
    "*.dist-info/",
    "*.egg-info/",
    ".git/",
    ".hg/",
    ".svn/",
    ".venv/",
    "venv/",
    ".tox/",
    ".nox/",
    ".idea/",
    ".vscode/",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    "node_modules/",
    ".DS_Store",
    ".coverage",
    ".env*",
    ".lambdabuild-*/",
)
"""What is never packaged from a source folder unless a ``keep`` pattern names it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Built-in rules and the user's patterns, which decide by path alone. ``keep`` wins over every rule."""

    rules: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    _dropped: GitIgnoreSpec = field(init=False, repr=False, compare=False)
    _kept: GitIgnoreSpec = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_dropped", GitIgnoreSpec.from_lines((*self.rules, *self.exclude)))
        object.__setattr__(self, "_kept", GitIgnoreSpec.from_lines(self.keep))

    def takes(self, path: str) -> bool:
        """Whether the file at this path, relative to the artifact's root, is packaged."""
        return not self._dropped.match_file(path) or self._kept.match_file(path)

    def may_hold_kept(self, folder: str) -> bool:
        """Whether a folder is worth walking: False when everything in it is dropped and nothing can be kept."""
        return bool(self.keep) or not self._dropped.match_file(folder.rstrip("/") + "/")


def distribution_rules(exclude: Iterable[str] = (), keep: Iterable[str] = ()) -> Rules:
    return Rules(DISTRIBUTION_RULES, tuple(exclude), tuple(keep))


def source_rules(exclude: Iterable[str] = (), keep: Iterable[str] = ()) -> Rules:
    return Rules(SOURCE_RULES, tuple(exclude), tuple(keep))
