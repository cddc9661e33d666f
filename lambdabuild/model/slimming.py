"""What slimming would leave out and an artifact needs: decided by evidence in the code that the artifact holds or runs.

Metadata is kept of a distribution that declares entry points, or that code looks up; test modules are kept that other
code imports, with all that they import in turn. An ``exclude`` pattern wins over evidence, a ``keep`` pattern over all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from packaging.utils import canonicalize_name

from lambdabuild.model.evidence import find_test_imports, is_test
from lambdabuild.model.facts import OWN, Facts, Lookup, TestImport
from lambdabuild.model.patterns import Rules
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.treatment import Slimming

_METADATA = ("METADATA", "entry_points.txt", "top_level.txt")
_RECORD = "RECORD"
_FOLDER = ".dist-info"
_RUN_BY_TESTERS = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|tests|conftest)\.py$")
"""https://docs.pytest.org/en/stable/explanation/goodpractices.html, and Django's ``tests.py``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Distributions of an artifact that the same rules hold for."""

    segments: tuple[Segment, ...]
    rules: Rules
    elsewhere: bool = False
    """Whether they are in another artifact that this one runs with, so that metadata alone is lacking here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Files of a distribution that a slimming rule would leave out, and why they are kept."""

    distribution: str
    """Its name."""
    kind: Literal["metadata", "tests"]
    files: tuple[str, ...]
    """Paths below the folder that distributions are installed in, sorted."""
    size: int
    """Bytes unzipped."""
    reasons: tuple[str, ...]


Load = Callable[[Member], bytes]
"""Gives the content of a member."""


def keep_by_evidence(parts: Sequence[Part], slimming: Slimming, application: Facts, load: Load) -> tuple[Kept, ...]:
    """What is kept of the distributions of an artifact, those with metadata first, by name.

    ``application`` is what the project's own code tells that runs with the artifact; ``load`` gives the source of test
    modules. Raises what ``load`` raises.
    """
    stock = _survey(parts)
    tests: dict[str, list[str]] = {}
    if slimming.tests == "auto":
        tests = _needed_tests(stock, _test_imports(stock, application, load), load)
    metadata: dict[str, list[str]] = {}
    if slimming.dist_info == "auto":
        running = stock.taken.keys() | tests.keys()
        metadata = _needed_metadata(stock, tuple(_lookups(stock.segments, running, application)))
    return (*_kept("metadata", metadata, stock), *_kept("tests", tests, stock))


@dataclass(frozen=True, slots=True)
class _Stock:
    """The files of an artifact's distributions, by path: those that are taken anyway, and those that evidence keeps."""

    segments: tuple[Segment, ...]
    taken: Mapping[str, Member]
    spared: Mapping[str, tuple[Segment, Member]]
    elsewhere: frozenset[str]
    """The names of distributions that are in another artifact."""


def _survey(parts: Iterable[Part]) -> _Stock:
    segments: list[Segment] = []
    taken: dict[str, Member] = {}
    spared: dict[str, tuple[Segment, Member]] = {}
    for part in parts:
        unslimmed = part.rules.unslimmed()
        for segment in part.segments:
            segments.append(segment)
            for member in segment.members:
                if not part.elsewhere and part.rules.takes(member.path):
                    taken[member.path] = member
                elif unslimmed.takes(member.path):
                    spared[member.path] = segment, member
    elsewhere = frozenset(segment.name for part in parts if part.elsewhere for segment in part.segments)
    return _Stock(tuple(segments), taken, spared, elsewhere)


def _test_imports(stock: _Stock, application: Facts, load: Load) -> Iterator[TestImport]:
    """What is imported from test directories by code outside of them, and by tests that a ``keep`` pattern names."""
    yield from application.test_imports
    for segment in stock.segments:
        yield from (one for one in segment.facts.test_imports if one.path in stock.taken)
    for path, member in stock.taken.items():
        if is_test(path) and path.endswith(".py"):
            yield from find_test_imports(path, load(member))


def _needed_tests(stock: _Stock, imports: Iterable[TestImport], load: Load) -> dict[str, list[str]]:
    """The test modules that are imported, those that these import, and the packages on the way; with the reasons."""
    tests = [path for path, (one, _) in stock.spared.items() if one.name not in stock.elsewhere and is_test(path)]
    modules: dict[str, list[str]] = {}
    for path in tests:
        if (stem := _stem(path)) is not None:
            modules.setdefault(stem, []).append(path)
    needed: dict[str, list[str]] = {}
    waiting = list(imports)
    while waiting:
        imported = waiting.pop(0)
        parts = imported.module.split(".")
        stems = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        deepest = max((stem for stem in stems if stem in modules), key=len, default=None)
        if deepest is None:
            continue
        verb = "names" if imported.named else "imports"
        reason = f"{imported.path}:{imported.line} {verb} {deepest.replace('/', '.')}"
        files = [path for stem in stems for path in modules.get(stem, ())]
        if imported.named and deepest == stems[-1]:
            files += _code_below(deepest, tests)
        for path in files:
            if path not in needed:
                needed[path] = []
                if path.endswith(".py"):
                    waiting += find_test_imports(path, load(stock.spared[path][1]))
            if reason not in needed[path]:
                needed[path].append(reason)
    return needed


def _code_below(package: str, tests: Iterable[str]) -> list[str]:
    """The files of a package that is called a test and does not look like one: what is in it may be loaded by folder,
    as plugins are. A package with files that test runners look for is one."""
    files = [path for path in tests if path.startswith(f"{package}/")]
    return [] if any(_RUN_BY_TESTERS.search(path) for path in files) else files


def _stem(path: str) -> str | None:
    """The path of a module without what does not belong to its name; None for another file."""
    folder, slash, name = path.rpartition("/")
    if name == "__init__.py":
        return folder
    if not name.endswith((".py", ".so")):
        return None
    return f"{folder}{slash}{name.partition('.')[0]}"


def _lookups(segments: Iterable[Segment], running: Iterable[str], application: Facts) -> Iterator[Lookup]:
    """What code that is in the artifact, or runs with it, looks up."""
    yield from (one for one in application.lookups if one.name != OWN)
    running = frozenset(running)
    for segment in segments:
        yield from (one for one in segment.facts.lookups if one.path in running)


def _needed_metadata(stock: _Stock, lookups: Sequence[Lookup]) -> dict[str, list[str]]:
    """The files of metadata that are needed, with the reasons."""
    needed: dict[str, list[str]] = {}
    for path, (segment, _) in stock.spared.items():
        folder, _, file = path.rpartition("/")
        if is_test(path) or not folder.endswith(_FOLDER) or file not in (*_METADATA, _RECORD):
            continue
        is_elsewhere = segment.name in stock.elsewhere
        if not (is_elsewhere or _is_there(segment, stock.taken)):
            continue
        name = canonicalize_name(folder.rpartition("/")[2].removesuffix(_FOLDER).rpartition("-")[0])
        asking = [one for one in lookups if one.name in (name, None) and (one.record or file != _RECORD)]
        reasons = [_told(one) for one in sorted(asking, key=lambda one: (one.name is None, one.path, one.line))]
        if segment.facts.entry_points and file != _RECORD and not is_elsewhere:
            reasons.insert(0, f"declares entry points: {', '.join(segment.facts.entry_points)}")
        if reasons:
            needed[path] = reasons
    return needed


def _is_there(segment: Segment, taken: Mapping[str, Member]) -> bool:
    """Whether something of a distribution is packaged, so that its metadata is no lie; one may be metadata alone."""
    files = [member.path for member in segment.members if not member.path.partition("/")[0].endswith(_FOLDER)]
    return not files or any(path in taken for path in files)


def _told(lookup: Lookup) -> str:
    place = f"{lookup.path}:{lookup.line}" if lookup.line else lookup.path
    whose = "any distribution" if lookup.name is None else lookup.name
    return f"{place} looks up {whose}" + (" and its files" if lookup.record else "")


def _kept(kind: Literal["metadata", "tests"], needed: Mapping[str, Sequence[str]], stock: _Stock) -> Iterator[Kept]:
    by_name: dict[str, list[str]] = {}
    for path in sorted(needed, key=str.encode):
        by_name.setdefault(stock.spared[path][0].name, []).append(path)
    for name, paths in sorted(by_name.items()):
        yield Kept(
            distribution=name,
            kind=kind,
            files=tuple(paths),
            size=sum(stock.spared[path][1].size for path in paths),
            reasons=tuple(dict.fromkeys(reason for path in paths for reason in needed[path])),
        )
