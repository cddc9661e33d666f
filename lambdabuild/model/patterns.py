"""Which files of a distribution or of the sources go into an artifact: gitignore patterns (pathspec)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field, replace
from functools import cache

from lambdabuild.model.gitignore import anchor, each_way, find_plain_regex, split_line, with_plain_sets
from lambdabuild.model.treatment import Slimming
from lambdabuild.values import dataclass

DISTRIBUTION_RULES = ("__pycache__/", "*.pyo")
"""What is never taken of a distribution unless a ``keep`` pattern names it."""
BYTECODE_RULES = ("*.pyc",)
"""Also what slimming takes out of a distribution, unless the module is nothing else."""
METADATA_RULES = ("*.dist-info/", "*.egg-info/")
TEST_RULES = ("tests/", "test/")
"""With these two, what slimming takes out of a distribution. Never ``testing``, ``docs`` or ``examples``:
numpy.testing, botocore.docs and others are imported by their own distributions at run time."""

SOURCE_RULES = (
    *("__pycache__/", "*.pyo", "*.dist-info/", "*.egg-info/"),
    *(".git", ".gitignore", ".gitattributes", ".gitmodules", ".hg/", ".svn/", ".lambdaignore", "lambdabuild.toml"),
    *(".venv", "venv/", ".tox/", ".nox/", ".direnv/", "node_modules/"),
    *(".cache/", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".hypothesis/", ".ipynb_checkpoints/"),
    *(".aws-sam/", ".serverless/", ".terraform/", ".lambdabuild-*/"),
    *(".idea/", ".vscode/", ".DS_Store", ".coverage", ".env*"),
)
"""What is never packaged from a source folder unless a ``keep`` pattern names it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of gitignore syntax."""

    text: str
    """As it is written."""
    origin: str
    """Where, for messages."""
    negated: bool
    body: str
    """Without the exclamation mark."""
    of_name: bool
    """Whether it is matched with a name in whatever folder, not with a path."""
    regex: re.Pattern[str]

    def __str__(self) -> str:
        return f'"{self.text}" ({self.origin})'


@dataclass(frozen=True, slots=True)
class PatternList:
    """Patterns as they follow each other in one place; of those that match a path the last one decides."""

    patterns: tuple[Pattern, ...] = ()
    base: str = ""
    """The folder that they are relative to, with a slash at its end; all paths that are asked for are below it."""

    def find(self, path: str, *, folder: bool) -> Pattern | None:
        """The pattern that decides on this file or folder by itself, whatever was decided on the folders above."""
        if not self.patterns:
            return None
        path = path[len(self.base) :] + ("/" if folder else "")
        name = path[path.rfind("/", 0, -1) + 1 :]
        for pattern in reversed(self.patterns):
            if pattern.regex.fullmatch(name if pattern.of_name else path):
                return pattern
        return None

    def ways(self) -> PatternList:
        """Patterns of the folders below which a path may lie that these patterns match."""
        lines = (way for pattern in self.patterns if not pattern.negated for way in each_way(pattern.body))
        return parse_patterns(lines, origin="", base=self.base)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules say of one file or folder."""

    dropped: Pattern | None = None
    """The pattern that leaves it out."""
    ignored: bool = False
    """Whether that is one of a .gitignore, which says nothing of what git tracks."""
    included: bool = True
    kept: bool = False

    @property
    def taken(self) -> bool:
        return self.kept or (self.included and self.dropped is None)


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns that decide by path alone, from the top down.

    What ``never``, ``slimmed`` or ``dropped`` matches is left out; in ``dropped`` later lists overrule earlier ones.
    As in git, nothing in a folder that is left out can be taken back by a negated pattern. With an ``include`` list
    only what it matches is left. ``keep`` wins over all. In these two a pattern of a folder holds for what is in it,
    until a later one says otherwise.
    """

    never: PatternList
    slimmed: PatternList = PatternList()
    """What is left out unless there is evidence that it is needed."""
    ignored: tuple[PatternList, ...] = ()
    """Of the project's .gitignore files, the outermost first."""
    dropped: tuple[PatternList, ...] = ()
    include: PatternList = PatternList()
    keep: PatternList = PatternList()
    _to_included: PatternList = field(init=False, repr=False, compare=False)
    _to_kept: PatternList = field(init=False, repr=False, compare=False)
    _folders: dict[str, Standing] = field(init=False, repr=False, compare=False, default_factory=dict)
    _files: dict[str, Standing] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_to_included", self.include.ways())
        object.__setattr__(self, "_to_kept", self.keep.ways())

    def also_ignoring(self, ignored: PatternList) -> Rules:
        """The rules inside a folder that has a .gitignore."""
        return replace(self, ignored=(*self.ignored, ignored))

    def top(self) -> Standing:
        """What holds above all paths."""
        return Standing(included=not self.include.patterns)

    def judge(self, above: Standing, path: str, *, folder: bool, tracked: bool = False) -> Standing:
        """What holds for a file or folder in a folder for which ``above`` holds; git ignores nothing ``tracked``."""
        include, keep = self.include.find(path, folder=folder), self.keep.find(path, folder=folder)
        dropped, ignored = above.dropped, above.ignored
        if dropped is None or ignored:
            found, by_git = self._find_drop(path, folder=folder)
            if found is not None and not (by_git and ignored):
                dropped, ignored = found, by_git
        if ignored and tracked:
            dropped, ignored = None, False
        if dropped is above.dropped and include is None and keep is None:
            return above
        return Standing(
            dropped=dropped,
            ignored=ignored,
            included=not include.negated if include else above.included,
            kept=not keep.negated if keep else above.kept,
        )

    def leads_on(self, standing: Standing, folder: str) -> bool:
        """Whether something that is packaged may lie in a folder."""
        if standing.taken or (standing.dropped is None and self._to_included.find(folder, folder=True)):
            return True
        return self._to_kept.find(folder, folder=True) is not None

    def takes(self, path: str) -> bool:
        """Whether the file at this path is packaged."""
        standing = self._files.get(path)
        if standing is None:
            standing = self._files[path] = self._standing(path, folder=False)
        return standing.taken

    def unslimmed(self) -> Rules:
        """The rules without slimming: what they take as well may be kept by evidence."""
        return replace(self, slimmed=PatternList())

    def _standing(self, path: str, *, folder: bool) -> Standing:
        """What the rules say of a file or folder by itself; of folders that is remembered, as many files share them."""
        above, slash, _ = path.rpartition("/")
        if not slash:
            return self.judge(self.top(), path, folder=folder)
        standing = self._folders.get(above)
        if standing is None:
            standing = self._folders[above] = self._standing(above, folder=True)
        return self.judge(standing, path, folder=folder)

    def _find_drop(self, path: str, *, folder: bool) -> tuple[Pattern | None, bool]:
        """The pattern that leaves something out, and whether it is of a .gitignore."""
        for patterns in (self.never, self.slimmed):
            if (found := patterns.find(path, folder=folder)) is not None:
                return found, False
        lists = [(patterns, True) for patterns in self.ignored] + [(patterns, False) for patterns in self.dropped]
        for patterns, by_git in reversed(lists):
            if (found := patterns.find(path, folder=folder)) is not None:
                return (None if found.negated else found), by_git
        return None, False


def parse_patterns(lines: Iterable[str], *, origin: str, base: str = "") -> PatternList:
    """A list of patterns; raises ValueError for what is none."""
    parsed = (_parse(line, origin) for line in lines)
    return PatternList(tuple(pattern for pattern in parsed if pattern is not None), base)


def parse_ignore_file(text: str, *, name: str, folder: str) -> tuple[PatternList, tuple[str, ...]]:
    """The patterns of a file like .gitignore in a folder, and what is wrong with the lines that are none.

    git passes over those lines.
    """
    patterns, problems = [], []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        origin = f"{name}:{number}"
        try:
            pattern = _parse(line.removesuffix("\r"), origin)
        except ValueError:
            problems.append(f'{origin}: "{line}" is not a gitignore pattern')
        else:
            patterns += [pattern] if pattern is not None else []
    return PatternList(tuple(patterns), f"{folder}/"), tuple(problems)


def distribution_rules(
    exclude: Iterable[str] = (), keep: Iterable[str] = (), *, slimming: Slimming = Slimming()
) -> Rules:
    """The rules for distributions; those for the same patterns are one, as artifacts share files that they judge."""
    slimmed = (
        *BYTECODE_RULES,
        *(METADATA_RULES if slimming.dist_info != "keep" else ()),
        *(TEST_RULES if slimming.tests != "keep" else ()),
    )
    return _distribution_rules(tuple(exclude), tuple(keep), slimmed)


def code_rules(slimmed: Iterable[str], keep: Iterable[str]) -> Rules:
    """The rules for a layer's code after it was collected: what of it slimming leaves out."""
    return Rules(
        never=PatternList(),
        slimmed=parse_patterns(slimmed, origin="slimming"),
        keep=parse_patterns(keep, origin="keep"),
    )


@cache
def _distribution_rules(exclude: tuple[str, ...], keep: tuple[str, ...], slimmed: tuple[str, ...]) -> Rules:
    return Rules(
        never=_NEVER,
        slimmed=parse_patterns(slimmed, origin="slimming"),
        dropped=(parse_patterns(exclude, origin="exclude"),),
        keep=parse_patterns(keep, origin="keep"),
    )


def source_rules(
    exclude: Iterable[str] = (),
    keep: Iterable[str] = (),
    *,
    include: Iterable[str] = (),
    ignored: tuple[PatternList, ...] = (),
    dropped: tuple[PatternList, ...] = (),
    base: str = "",
) -> Rules:
    """``ignored`` and ``dropped`` are the lists of files, which come before ``exclude``."""
    return Rules(
        never=replace(_NO_SOURCES, base=base),
        ignored=ignored,
        dropped=(*dropped, parse_patterns(exclude, origin="exclude", base=base)),
        include=parse_patterns(include, origin="include", base=base),
        keep=parse_patterns(keep, origin="keep", base=base),
    )


def _parse(line: str, origin: str) -> Pattern | None:
    negated, body = split_line(line)
    if not body:
        return None
    of_name, anchored = anchor(body)
    regex = find_plain_regex(anchored)
    if regex is None:
        regex = _pathspec_regex(anchored)
    if regex is None:  # a set without its end, which matches nothing
        return None
    try:
        compiled = re.compile(regex)
    except re.error as error:
        raise ValueError(f"{line!r}: {error}") from error
    return Pattern(line, origin, negated, body, of_name, compiled)


def _pathspec_regex(anchored: str) -> str | None:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern  # for patterns that are not plain

    regex, _ = GitIgnoreSpecPattern.pattern_to_regex(anchored)
    return None if regex is None else with_plain_sets(regex)


_NEVER = parse_patterns(DISTRIBUTION_RULES, origin="built in")
_NO_SOURCES = parse_patterns(SOURCE_RULES, origin="built in")
NOTHING = Rules(never=parse_patterns(("*",), origin="built in"))
"""Rules that take no file."""
