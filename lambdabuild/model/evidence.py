"""What a file of code tells of its need for what slimming leaves out: metadata of distributions, and test modules.

Hardly any file has such a need, so bytes are searched first, and only what may have one is parsed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from lambdabuild.model.aliases import MODULES
from lambdabuild.model.code import Code, called_name, parse_code
from lambdabuild.model.facts import Facts, Lookup, TestImport
from lambdabuild.model.lookups import read_lookups

TEST_FOLDERS = frozenset({"tests", "test"})
"""Names of the folders that slimming takes for tests of a distribution."""
_SCRIPTS = frozenset({"console_scripts", "gui_scripts"})
_COMPILED = tuple(module.encode() for module in MODULES)
_ASKS = re.compile(rb"importlib[._]metadata|importlib\s+as\b|importlib\s+import\s[^;]*\bmetadata\b")
_TEST = re.compile(rb"tests?\b")
_OPENS_IMPORT = re.compile(rb"import\w*\s*\Z")
_NAMED = re.compile(rb"[\"']\w+(?:\.\w+)*\.tests?(?:\.\w+)*[\"']")
_DOTTED = re.compile(r"\w+(?:\.\w+)+")
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What ast.parse raises for what is no source code, or none of this Python's."""


def is_test(path: str) -> bool:
    """Whether a file lies in a test directory."""
    return not TEST_FOLDERS.isdisjoint(path.split("/")[:-1])


def read_facts(path: str, source: bytes) -> Facts:
    """The evidence in a file of the project's own code, which may be a test just as well."""
    return Facts(lookups=find_lookups(path, source), test_imports=find_test_imports(path, source))


def find_lookups(path: str, source: bytes) -> tuple[Lookup, ...]:
    """The places in a file of Python, or in a shared object, that ask for the metadata of distributions.

    A file that may do so and cannot be parsed asks for that of any.
    """
    if not path.endswith(".py"):
        asks = ".so" in path[path.rfind("/") + 1 :] and any(name in source for name in _COMPILED)
        return (Lookup(path=path, line=0, name=None),) if asks else ()
    if not _may_ask(source):
        return ()
    try:
        return read_lookups(path, parse_code(source))
    except _UNREADABLE as error:
        return (Lookup(path=path, line=getattr(error, "lineno", None) or 1, name=None),)


def find_test_imports(path: str, source: bytes) -> tuple[TestImport, ...]:
    """What a file of Python imports that has ``tests`` or ``test`` in its name, wherever the import stands; and strings
    that are such a name, which may be imported somewhere else.

    Relative names are resolved. Nothing for a file that cannot be parsed.
    """
    if not path.endswith(".py") or not (is_test(path) or _may_import_tests(source)):
        return ()
    try:
        code = parse_code(source)
    except _UNREADABLE:
        return ()
    found = {one for one in _imports(code, path) if not TEST_FOLDERS.isdisjoint(one.module.split("."))}
    imported = {one.module for one in found if not one.named}
    found = {one for one in found if not (one.named and one.module in imported)}
    return tuple(sorted(found, key=lambda one: (one.line, one.module)))


def entry_point_groups(text: str) -> tuple[str, ...]:
    """The groups in an entry_points.txt in which there is anything, without those of scripts.

    https://packaging.python.org/en/latest/specifications/entry-points/#file-format
    """
    groups: dict[str, None] = {}
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1]
        elif "=" in line and not line.startswith("#") and group not in _SCRIPTS:
            groups[group] = None
    return tuple(filter(None, groups))


def _may_ask(source: bytes) -> bool:
    """Whether a module may ask for metadata: it has the name of one of the modules that give it, however written."""
    if b"pkg_resources" in source:
        return True
    return b"importlib" in source and b"metadata" in source and _ASKS.search(source) is not None


def _may_import_tests(source: bytes) -> bool:
    """Whether a line, or a parenthesis, has the name of a test directory and the word import; or a string is one."""
    for match in _TEST.finditer(source):
        start = match.start()
        if source[start - 1 : start].isalnum() or source[start - 1 : start] == b"_":
            continue
        line = source[source.rfind(b"\n", 0, start) + 1 : source.find(b"\n", start) + 1 or None]
        if b"import" in line or _NAMED.search(line):
            return True
        opened = source.rfind(b"(", 0, start)
        if opened > source.rfind(b")", 0, start) and _OPENS_IMPORT.search(source, max(0, opened - 40), opened):
            return True
    return False


def _imports(code: Code, path: str) -> Iterator[TestImport]:
    """All imports under their full names; ``from a import b`` as a.b, whatever b may be."""
    package = PurePosixPath(path).parts[:-1]
    for node, _ in code.nodes(code.lines(["import", "test"])):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level <= len(package):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += (node.module,) if node.module else ()
            names = [".".join((*base, alias.name)) for alias in node.names]
        elif isinstance(node, ast.Call) and "import" in called_name(node):
            given = (*node.args, *(keyword.value for keyword in node.keywords))
            names = [name for one in given if (name := _dotted(one)) is not None]
        elif (name := _dotted(node)) is not None:
            yield TestImport(path=path, line=getattr(node, "lineno", 1), module=name, named=True)
        yield from (TestImport(path=path, line=getattr(node, "lineno", 1), module=name) for name in names)


def _dotted(node: ast.AST) -> str | None:
    """The string that a node is, when that is a dotted name."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
        return node.value
    return None
