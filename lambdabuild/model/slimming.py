"""What the rules of slimming would leave out and an artifact needs.

Of metadata METADATA, entry_points.txt and top_level.txt always stay, and RECORD where code asks for lists of files. Of
test folders the modules stay that other code imports, with all that they import in turn, and the data that the
distribution's code names. Of bytecode what is a module of its own stays, because its source is not there. An
``exclude`` pattern wins over all this, a ``keep`` pattern over all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lambdabuild.model.evidence import (
    file_names,
    find_named,
    find_test_imports,
    is_data,
    is_test,
    looks_run_by_testers,
)
from lambdabuild.model.facts import Facts, Lookup, TestData, TestImport
from lambdabuild.model.limits import Finding, format_size
from lambdabuild.model.lint import listed
from lambdabuild.model.patterns import Rules
from lambdabuild.model.pythontext import read_python
from lambdabuild.model.removal import keep_line, keep_pattern
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.treatment import Slimming

_METADATA = frozenset({"METADATA", "entry_points.txt", "top_level.txt"})
_RECORD = "RECORD"
_FOLDER = ".dist-info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Distributions of an artifact that the same rules hold for."""

    segments: tuple[Segment, ...]
    rules: Rules
    elsewhere: bool = False
    """Whether they are in another artifact that this one runs with, and metadata with RECORD is all that they lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Files of a distribution that a rule of slimming would leave out, and the evidence for which they are kept."""

    distribution: str
    """Its name."""
    kind: Literal["metadata", "tests"]
    files: tuple[str, ...]
    """Paths below the folder that distributions are installed in, sorted."""
    size: int
    """Bytes unzipped."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """What is kept though a pattern of slimming matches it."""

    kept: tuple[Kept, ...]
    """By evidence."""
    files: frozenset[str]
    """All of it."""
    left_out: tuple[Member, ...]
    """What in test folders is no module and is left out."""


Load = Callable[[Member], bytes]
"""Gives the content of a member."""


def spare(parts: Sequence[Part], slimming: Slimming, application: Facts, load: Load) -> Spared:
    """What is kept of the distributions of an artifact; ``kept`` has those with metadata first, by name.

    ``application`` is what the project's own code tells that runs with the artifact; ``load`` gives the source of test
    modules. Raises what ``load`` raises.
    """
    stock = _survey(parts)
    tests: dict[str, list[str]] = {}
    if slimming.tests == "auto":
        tests = _needed_tests(stock, _test_imports(stock, application, load), load)
    ruled: dict[str, list[str]] = {}
    lists: dict[str, list[str]] = {}
    if slimming.dist_info == "auto":
        running = stock.taken.keys() | tests.keys()
        asking = [_told(one) for one in _lookups(stock.segments, running, application)]
        for path, file, borrowed in _metadata(stock):
            if asking and (file == _RECORD or borrowed):
                lists[path] = asking
            elif file != _RECORD and not borrowed:
                ruled[path] = []
    kept = (*_kept("metadata", lists, stock), *_kept("tests", tests, stock))
    files = stock.bytecode | ruled.keys() | lists.keys() | tests.keys()
    left_out = (
        member
        for path, (segment, member) in stock.spared.items()
        if path not in files and is_test(path) and is_data(path) and segment.name not in stock.elsewhere
    )
    return Spared(kept=kept, files=frozenset(files), left_out=tuple(left_out) if slimming.tests == "auto" else ())


def left_out_note(file: str, left_out: Sequence[Member]) -> list[Finding]:
    """A note of what of test folders is no module and not packaged: code may open it under a name that it makes."""
    if not left_out:
        return []
    members = sorted(left_out, key=lambda member: member.path)
    what = f"{len(members)} data file{'s' * (len(members) != 1)} ({format_size(sum(one.size for one in members))})"
    return [
        Finding(
            severity="note",
            code="left-out-data",
            message=f"{file} leaves out {what} of test folders, which no code outside of them names: "
            f"{listed([member.path for member in members])}",
            hint=f'{keep_line([keep_pattern(members[0].path)])} takes one, tests = "keep" takes all',
        )
    ]


@dataclass(frozen=True, slots=True)
class _Stock:
    """The files of an artifact's distributions, by path: those that are taken anyway, and those that may be spared."""

    segments: tuple[Segment, ...]
    taken: Mapping[str, Member]
    spared: Mapping[str, tuple[Segment, Member]]
    elsewhere: frozenset[str]
    """The names of distributions that are in another artifact."""
    bytecode: frozenset[str]
    """Of what is taken, the modules without a source."""


def _survey(parts: Iterable[Part]) -> _Stock:
    segments: list[Segment] = []
    taken: dict[str, Member] = {}
    spared: dict[str, tuple[Segment, Member]] = {}
    bytecode: set[str] = set()
    for part in parts:
        unslimmed = part.rules.unslimmed()
        for segment in part.segments:
            segments.append(segment)
            sources = {member.path for member in segment.members if member.path.endswith(".py")}
            for member in segment.members:
                path = member.path
                if not part.elsewhere and part.rules.takes(path):
                    taken[path] = member
                elif not unslimmed.takes(path) or (path.endswith(".pyc") and path[:-1] in sources):
                    continue
                elif path.endswith(".pyc") and not part.elsewhere and part.rules.takes(path[:-1]):
                    taken[path] = member
                    bytecode.add(path)
                else:
                    spared[path] = segment, member
    elsewhere = frozenset(segment.name for part in parts if part.elsewhere for segment in part.segments)
    return _Stock(tuple(segments), taken, spared, elsewhere, frozenset(bytecode))


def _test_imports(stock: _Stock, application: Facts, load: Load) -> Iterator[TestImport | TestData]:
    """What is imported from test directories, and named in them, by code outside of them, and by tests that a ``keep``
    pattern names."""
    yield from application.test_imports
    for segment in stock.segments:
        yield from (one for one in segment.facts.test_imports if one.path in stock.taken)
        yield from (one for one in segment.facts.test_data if one.path in stock.taken)
    for path, member in stock.taken.items():
        if is_test(path) and path.endswith(".py"):
            yield from find_test_imports(path, read_python(load(member)))


def _needed_tests(stock: _Stock, evidence: Iterable[TestImport | TestData], load: Load) -> dict[str, list[str]]:
    """The test modules that are imported, those that these import, the packages on the way, and the data that is named;
    with the reasons."""
    tests = [path for path, (one, _) in stock.spared.items() if one.name not in stock.elsewhere and is_test(path)]
    modules: dict[str, list[str]] = {}
    for path in tests:
        if (stem := _stem(path)) is not None:
            modules.setdefault(stem, []).append(path)
    needed: dict[str, list[str]] = {}
    waiting = list(evidence)
    while waiting:
        one = waiting.pop(0)
        found = _asked_of(one, modules, tests) if isinstance(one, TestImport) else _named_by(one, stock)
        for path, reason in found:
            if path not in needed:
                needed[path] = []
                if path.endswith(".py"):
                    waiting += _evidence_in(path, stock, load)
            if reason not in needed[path]:
                needed[path].append(reason)
    return needed


def _asked_of(
    imported: TestImport, modules: Mapping[str, list[str]], tests: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """The files that an import runs, each with the reason for which it is needed."""
    parts = imported.module.split(".")
    stems = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    deepest = max((stem for stem in stems if stem in modules), key=len, default=None)
    if deepest is None:
        return
    verb = "names" if imported.named else "imports"
    files = [path for stem in stems for path in modules.get(stem, ())]
    if imported.named and deepest == stems[-1]:
        files += _code_below(deepest, tests)
    for path in files:
        yield path, f"{imported.path}:{imported.line} {verb} {deepest.replace('/', '.')}"


def _named_by(data: TestData, stock: _Stock) -> Iterator[tuple[str, str]]:
    for path in data.names:
        if path in stock.spared:
            yield path, f"{data.path}:{data.line} names {path}"


def _evidence_in(path: str, stock: _Stock, load: Load) -> Iterator[TestImport | TestData]:
    """What a test module that is needed needs itself."""
    segment, member = stock.spared[path]
    text = read_python(load(member))
    yield from find_test_imports(path, text)
    data = [one.path for one in segment.members if is_test(one.path) and is_data(one.path)]
    yield TestData(path=path, line=1, names=find_named(file_names(text), data))


def _code_below(package: str, tests: Iterable[str]) -> list[str]:
    """The files of a package that is called a test and does not look like one: what is in it may be loaded by folder,
    as plugins are. A package with files that test runners look for is one."""
    files = [path for path in tests if path.startswith(f"{package}/")]
    return [] if any(map(looks_run_by_testers, files)) else files


def _stem(path: str) -> str | None:
    """The path of a module without what does not belong to its name; None for another file."""
    folder, slash, name = path.rpartition("/")
    if name.partition(".")[0] == "__init__":
        return folder if name in ("__init__.py", "__init__.pyc") else None
    return f"{folder}{slash}{name.partition('.')[0]}" if name.endswith((".py", ".pyc", ".so")) else None


def _metadata(stock: _Stock) -> Iterator[tuple[str, str, bool]]:
    """The files of metadata that may stay: path, name, and whether the distribution is in another artifact."""
    for path, (segment, _) in stock.spared.items():
        folder, _, file = path.rpartition("/")
        if file in (*_METADATA, _RECORD) and folder.endswith(_FOLDER) and not is_test(path):
            is_elsewhere = segment.name in stock.elsewhere
            if is_elsewhere or _is_there(segment, stock.taken):
                yield path, file, is_elsewhere


def _lookups(segments: Iterable[Segment], running: Iterable[str], application: Facts) -> Iterator[Lookup]:
    """Where code that is in the artifact, or runs with it, asks for lists of files."""
    yield from application.lookups
    running = frozenset(running)
    for segment in segments:
        yield from (one for one in segment.facts.lookups if one.path in running)


def _is_there(segment: Segment, taken: Mapping[str, Member]) -> bool:
    """Whether something of a distribution is packaged, so that its metadata is no lie; one may be metadata alone."""
    files = [member.path for member in segment.members if not member.path.partition("/")[0].endswith(_FOLDER)]
    return not files or any(path in taken for path in files)


def _told(lookup: Lookup) -> str:
    return (
        f"{lookup.path}:{lookup.line} asks for lists of files"
        if lookup.line
        else f"{lookup.path} asks for lists of files"
    )


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
