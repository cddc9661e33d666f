"""Whose metadata a module looks up, as far as its syntax tells: the standard library's importlib.metadata, its backport
and setuptools' pkg_resources, under whatever name they are imported.

What cannot be told is taken for a look-up of any distribution.
https://docs.python.org/3/library/importlib.metadata.html
https://setuptools.pypa.io/en/latest/pkg_resources.html
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from lambdabuild.model.aliases import EVERYTHING, Aliases, Function, MetadataModule, read_aliases
from lambdabuild.model.code import FUNCTIONS, Code, bound_by, called_name, imported_by, parts_on
from lambdabuild.model.facts import Lookup
from lambdabuild.model.namings import read_names

_NAMED = {"version", "metadata", "distribution", "requires", "files", "from_name", "get_distribution"}
"""Functions of which the first argument is the name of a distribution."""
_DISTRIBUTIONS = {"distribution", "from_name", "get_distribution", "distributions", "discover"}
"""Functions that give distributions, which have a list of their files."""
_LISTS_FILES = {"files", "packages_distributions"}
_ENTRY_POINTS = "entry_points"
"""What declares entry points is kept for that: asking for them needs no more, unless it is for those of scripts."""
_SCRIPTS = re.compile(rb"[\"'](?:console|gui)_scripts[\"']")
_FILES = re.compile(rb"\.files\b(?!\s*\()")
_HARMLESS = {
    *("PackageNotFoundError", "PackageMetadata", "PackagePath", "EntryPoint", "EntryPoints", "SimplePath", "FileHash"),
    *("Distribution", "PathDistribution", "DistributionFinder", "MetadataPathFinder", "DeprecatedList"),
    *("DistributionNotFound", "VersionConflict", "UnknownExtra", "ResolutionError", "ExtractionError"),
    *("RequirementParseError", "PEP440Warning", "PkgResourcesDeprecationWarning", "Requirement", "ResourceManager"),
    *("parse_version", "parse_requirements", "declare_namespace", "fixup_namespace_packages", "normalize_path"),
    *("safe_name", "safe_version", "safe_extra", "to_filename", "get_build_platform", "get_supported_platform"),
    *("resource_filename", "resource_string", "resource_stream", "resource_exists", "resource_isdir"),
    *("resource_listdir", "get_cache_path", "cleanup_resources", "set_extraction_path"),
    *("IResourceProvider", "DefaultProvider", "packaging", "extern"),
}
"""What needs no metadata by itself."""
_TESTS = {"hasattr", "isinstance", "issubclass"}
"""Functions that what is looked up with may be given to."""


def read_lookups(path: str, code: Code) -> tuple[Lookup, ...]:
    """The look-ups of a module, in their order."""
    aliases = read_aliases(code)
    reader = _Reader(aliases=aliases, found=set(), used=set())
    reader.read(code.tree, frozenset())
    for name, (line, meaning) in aliases.offered.items():
        if name not in reader.used and not (name == EVERYTHING and reader.used):
            reader.take_as_value(meaning, line)
    lists = _FILES.search(code.source) is not None
    lookups = {
        Lookup(path=path, line=line, name=whose, record=made in _LISTS_FILES or (lists and made in _DISTRIBUTIONS))
        for line, made, whose in reader.found
    }
    return tuple(sorted(lookups, key=lambda one: (one.line, one.name or "", one.record)))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Goes through the statements and expressions that run."""

    aliases: Aliases
    found: set[tuple[int, str, str | None]]
    """Line, function, and whose metadata it is asked for."""
    used: set[str]
    """Names that are used for what they were imported as."""

    def read(self, node: ast.AST, hidden: frozenset[str]) -> None:
        """Find the look-ups below a node; ``hidden`` are names that mean something else there."""
        annotation = _annotation(node)
        parts = [part for part in parts_on(node, self.aliases.lines) if part is not annotation]
        if isinstance(node, ast.Name | ast.Attribute | ast.Call):
            meaning = self._meaning(node, hidden)
            if meaning is not None:
                if not self._is_rebound(node):
                    self.take_as_value(meaning, node.lineno)
                return
            if isinstance(node, ast.Call):
                called = self._meaning(node.func, hidden)
                if isinstance(called, Function):
                    self._take_call(node, called.name)
                    parts.remove(node.func)
                elif called_name(node) in _TESTS:
                    parts = [part for part in parts if self._meaning(part, hidden) is None]
        elif isinstance(node, FUNCTIONS):
            hidden = self._hidden_in(node, hidden)
        elif isinstance(node, ast.Assign) and self.aliases.is_alias(node):
            return
        for part in parts:
            self.read(part, hidden)

    def take_as_value(self, meaning: Function | MetadataModule, line: int) -> None:
        """A function, or the module, that is handed on: whoever gets it may ask for anything."""
        name = meaning.name if isinstance(meaning, Function) else ""
        if name not in _HARMLESS and name != _ENTRY_POINTS:
            self.found.add((line, name, None))

    def _take_call(self, call: ast.Call, function: str) -> None:
        if function in _NAMED:
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            for whose in read_names(given[0], self.aliases) if given else (None,):
                self.found.add((call.lineno, function, whose))
        elif function == _ENTRY_POINTS:
            if _SCRIPTS.search(self.aliases.code.source):
                self.found.add((call.lineno, function, None))
        elif function not in _HARMLESS:
            self.found.add((call.lineno, function, None))

    def _meaning(self, node: ast.AST, hidden: frozenset[str]) -> Function | MetadataModule | None:
        meaning, name = self.aliases.meaning(node, hidden)
        if name is not None:
            self.used.add(name)
        return meaning

    def _is_rebound(self, node: ast.AST) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.aliases.rebound

    def _hidden_in(self, function: ast.AST, hidden: frozenset[str]) -> frozenset[str]:
        """The names that mean something else inside a function, as it binds them otherwise than by imports."""
        bound: set[str] = set()
        imported: set[str] = set()
        waiting = list(parts_on(function, self.aliases.lines))
        while waiting:
            node = waiting.pop()
            bound.update(bound_by(node))
            imported.update(imported_by(node))
            if not isinstance(node, FUNCTIONS):
                waiting += parts_on(node, self.aliases.lines)
        return (hidden | bound) - imported


def _annotation(node: ast.AST) -> ast.AST | None:
    """The part of a node that tells a type."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.returns
    return node.annotation if isinstance(node, ast.arg | ast.AnnAssign) else None
