"""What a file of code tells of its need for what slimming leaves out: lists of installed files, and files of tests.

Code is searched and not parsed, so what is found is the same whatever Python runs lambdabuild. Where a search cannot
tell it finds too much rather than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from lambdabuild.model.elf import has_text
from lambdabuild.model.facts import Facts, Lookup, TestData, TestImport
from lambdabuild.model.pythontext import PythonText, read_python

TEST_FOLDERS = frozenset({"tests", "test"})
"""Names of the folders that slimming takes for tests of a distribution."""
_MODULES = (".py", ".pyc", ".pyi", ".pyo", ".pyx", ".pxd", ".so")
_RUN_BY_TESTERS = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|tests|conftest)\.py$")
"""https://docs.pytest.org/en/stable/explanation/goodpractices.html, and Django's ``tests.py``."""

_API = re.compile(rb"importlib[._]metadata|importlib\s+as\b|importlib\s+import\s[^;]*\bmetadata\b|pkg_resources")
"""How code comes by what reads the metadata of distributions: https://docs.python.org/3/library/importlib.metadata.html."""
_FILES = re.compile(
    rb"(?<!resources)\.\s*files\b"
    rb"|metadata[ \t]+import[ \t]*(?:\([^)]*\bfiles\b|[^\n;]*\bfiles\b|\*)"
)
_COMPILED_API = (b"importlib.metadata", b"importlib_metadata", b"pkg_resources")

_TEST = re.compile(rb"tests?\b")
"""Perhaps the end of a word: a pattern that begins with its letters is found many times faster."""
_LETTER = re.compile(rb"\w")
_AROUND = b"\"'/\\."
"""What stands around the name of a folder in a string, or in a dotted name."""
_IMPORTED = re.compile(rb"(?:^|[,(])[ \t]*tests?[ \t\r]*(?:as\b|[,)#\\;]|$)", re.MULTILINE)
"""A name in the list of an import that takes several lines."""
_BEGIN = re.compile(rb"(?:^|[;:])[ \t]*(?:from\b[ \t]*(?P<base>[.\w \t]+?)[ \t]*)?\bimport\b[ \t]*", re.MULTILINE)
_IMPORT = re.compile(_BEGIN.pattern + rb"(?:\((?P<block>[^)]*)|(?P<line>[^\n;]*))", re.MULTILINE)
_NAME = re.compile(rb"[\w.]+|\*")
_IMPORTING_CALL = re.compile(rb"import\w*\s*\(\s*(?:\w+\s*=\s*)?\w?\w?\Z")
_DOTTED = re.compile(r"\.*\w+(?:\.\w+)+|\.+\w+")
_LONGEST = 200
"""Characters of the name of a file."""
_FILLED_IN = re.compile(r"\{[^}]*\}|%\w")


def is_test(path: str) -> bool:
    """Whether a file lies in a test directory."""
    return not TEST_FOLDERS.isdisjoint(path.split("/")[:-1])


def is_data(path: str) -> bool:
    """Whether a file is no module of Python and none of its sources."""
    return not path.endswith(_MODULES)


def looks_run_by_testers(path: str) -> bool:
    """Whether a module has a name that test runners look for."""
    return _RUN_BY_TESTERS.search(path) is not None


def read_facts(path: str, source: bytes, *, of_distribution: bool = False) -> Facts:
    """The evidence in a file of code: of the project's own, which may be a test just as well, or of a distribution,
    of which nobody asks before they are needed what its tests import."""
    if not path.endswith(".py"):
        return Facts(lookups=_compiled_lookups(path, source))
    may_look_up = (
        (b"files" in source or b"RECORD" in source)
        and (b"importlib" in source or b"pkg_resources" in source)
        and _API.search(source) is not None
    )
    names_tests = not of_distribution if is_test(path) else _may_name_tests(source)
    if not may_look_up and not names_tests:
        return Facts()
    text = read_python(source)
    imports = find_test_imports(path, text) if names_tests else ()
    return Facts(
        lookups=_lookups(path, text) if may_look_up else (),
        test_imports=imports,
        test_data=() if is_test(path) or looks_run_by_testers(path) else _test_data(path, text, imports),
    )


def _may_name_tests(source: bytes) -> bool:
    """Whether reading a module closely can find that it names a folder of tests: most speak of tests in prose alone."""
    return any(_may_name(source, *found.span()) for found in _TEST.finditer(source))


def _may_name(source: bytes, start: int, end: int) -> bool:
    before, after = source[max(start - 1, 0) : start], source[end : end + 1]
    if _LETTER.match(before):
        return False
    if before == b"." or (before in _AROUND and after in _AROUND):
        return True
    stop = source.find(b"\n", end)
    line = source[source.rfind(b"\n", 0, start) + 1 : stop if stop >= 0 else None]
    return b"import" in line or _IMPORTED.search(line) is not None


def of_distribution(facts: Facts, paths: Iterable[str]) -> Facts:
    """The facts of all files of a distribution, which has these paths."""
    data = [path for path in paths if is_test(path) and is_data(path)]
    named = (replace(one, names=find_named(one.names, data)) for one in facts.test_data)
    return replace(facts, test_data=tuple(one for one in named if one.names))


def find_test_imports(path: str, text: PythonText) -> tuple[TestImport, ...]:
    """What a module imports that has ``tests`` or ``test`` in its name, wherever the import stands; and strings that
    are such a name, which may be imported somewhere else. Relative names are resolved."""
    found = set(_imports_of_tests(path, text))
    imported = {one.module for one in found if not one.named}
    found = {one for one in found if not (one.named and one.module in imported)}
    return tuple(sorted(found, key=lambda one: (one.line, one.module)))


def file_names(text: PythonText) -> tuple[str, ...]:
    """The strings of a module that may be names or paths of files, or parts of them."""
    names = (name for _, name in text.strings if name and len(name) <= _LONGEST and "\n" not in name)
    return tuple(dict.fromkeys(names))


def find_named(names: Iterable[str], files: Iterable[str]) -> tuple[str, ...]:
    """Which of these files of test directories the strings name: by name, by a pattern of names, or by the folders in
    the test directory that they lie in."""
    parts = {part for name in names for part in re.split(r"[/\\]", name)}
    patterns = [pattern for part in parts if (pattern := _pattern(part)) is not None]
    found = []
    for path in files:
        *folders, name = path.split("/")
        last = max(number for number, folder in enumerate(folders) if folder in TEST_FOLDERS)
        below = folders[last + 1 :]
        if name in parts or (below and parts.issuperset(below)) or any(one.fullmatch(name) for one in patterns):
            found.append(path)
    return tuple(found)


def _pattern(part: str) -> re.Pattern[str] | None:
    """What a string matches in which names are filled in (``*.json``, ``{name}.json``, ``%s.json``)."""
    pattern = _FILLED_IN.sub("*", part)
    if "*" not in pattern or len(re.findall(r"\w", pattern)) < 2:
        return None
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))


def _lookups(path: str, text: PythonText) -> tuple[Lookup, ...]:
    """Where a module that reads metadata asks for the list of a distribution's files."""
    found = _FILES.search(text.code)
    offset = found.start() if found else None
    if offset is None:
        offset = next((start for start, name in text.strings if re.split(r"[/\\]", name)[-1] == "RECORD"), None)
    return () if offset is None else (Lookup(path=path, line=text.line(offset)),)


def _compiled_lookups(path: str, content: bytes) -> tuple[Lookup, ...]:
    name = path.rpartition("/")[2]
    if not (name.endswith(".pyc") or ".so" in name) or "__pycache__/" in path:
        return ()
    found = has_text(content, *_COMPILED_API) or (
        name.endswith(".pyc") and b"importlib" in content and b"metadata" in content
    )
    return (Lookup(path=path, line=0),) if found and b"files" in content else ()


def _imports_of_tests(path: str, text: PythonText) -> Iterator[TestImport]:
    """Imports under their full names; ``from a import b`` as a.b, whatever b may be."""
    package = path.split("/")[:-1]
    for found in _each_import(text.code):
        base = _resolved(found["base"].decode(errors="replace").replace(" ", ""), package) if found["base"] else ()
        if base is None:
            continue
        for part in (found["block"] or found["line"] or b"").split(b","):
            if (imported := _NAME.search(part)) is None:
                continue
            module = ".".join((*base, imported[0].decode(errors="replace")))
            if _is_of_tests(module):
                line = text.line(found.start() + found[0].index(b"import"))
                yield TestImport(path=path, line=line, module=module)
    for offset, name in text.strings:
        if "test" not in f"{path}{name}" or not _DOTTED.fullmatch(name):
            continue
        named = _IMPORTING_CALL.search(text.code, max(0, offset - 60), offset) is None
        parts = _resolved(name, package) if not (named and name.startswith(".")) else None
        if parts is not None and _is_of_tests(module := ".".join(parts)):
            yield TestImport(path=path, line=text.line(offset), module=module, named=named)


def _each_import(code: bytes) -> Iterator[re.Match[bytes]]:
    """The imports, looked for where the word stands alone: few lines have it."""
    at = last = 0
    while (word := code.find(b"import", at)) >= 0:
        at = word + len(b"import")
        begin = _BEGIN.search(code, max(code.rfind(b"\n", last, word) + 1, last), at + 1)
        found = begin and _IMPORT.match(code, begin.start())
        if found:
            yield found
            at = last = found.end()


def _is_of_tests(module: str) -> bool:
    return not TEST_FOLDERS.isdisjoint(module.split("."))


def _resolved(name: str, package: list[str]) -> tuple[str, ...] | None:
    """The parts of a full name; None for a relative one that leads beyond the top."""
    level = len(name) - len(name.lstrip("."))
    if level > len(package):
        return None
    above = package[: len(package) - level + 1] if level else []
    return (*above, *filter(None, name[level:].split(".")))


def _test_data(path: str, text: PythonText, imports: tuple[TestImport, ...]) -> tuple[TestData, ...]:
    """What a module says that names, or imports, a folder of tests."""
    lines = [one.line for one in imports]
    lines += [
        text.line(offset) for offset, name in text.strings if not TEST_FOLDERS.isdisjoint(re.split(r"[/\\.]", name))
    ]
    return (TestData(path=path, line=min(lines), names=file_names(text)),) if lines else ()
