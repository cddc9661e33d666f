"""Under which names a module has what looks up metadata, and what its other names stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from lambdabuild.model.code import Code, bound_by, called_name, imported_by

MODULES = ("importlib.metadata", "importlib_metadata", "pkg_resources")
"""The modules that give metadata."""
_EVERYWHERE = ("importlib_metadata", "pkg_resources")
"""Names that mean these modules wherever they come from, a package's own module of compatibility among others."""
_LIBRARY = "importlib"
EVERYTHING = "*"
_STARRED = (
    *("version", "metadata", "distribution", "requires", "files", "entry_points", "distributions", "Distribution"),
    *("packages_distributions", "get_distribution", "iter_entry_points", "require", "working_set"),
)
"""What ``*`` stands for, as far as it matters."""
_FINDERS = ("from_name", "discover", "at")
"""Methods of classes that find distributions."""
_KNOWN = {*_STARRED, *_FINDERS, "PackageNotFoundError"}


@dataclass(frozen=True, slots=True)
class MetadataModule:
    """One of the modules."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function or class out of one of the modules."""

    name: str


@dataclass(frozen=True, slots=True)
class _Library:
    """``importlib``, in which one of the modules is."""


_Meaning: TypeAlias = Function | MetadataModule | _Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """The names of a module, wherever in it they are bound."""

    code: Code
    meanings: Mapping[str, _Meaning]
    lines: Sequence[int]
    """Where these names stand."""
    offered: Mapping[str, tuple[int, Function | MetadataModule]]
    """What is imported outside of functions under a name of its own, or ``EVERYTHING`` under those that it has; others
    may import it from here. With its line."""
    rebound: frozenset[str]
    """Names that mean something else besides."""

    def meaning(self, node: ast.AST, hidden: frozenset[str]) -> tuple[Function | MetadataModule | None, str | None]:
        """What an expression means, and the name that it starts with; ``hidden`` names mean nothing."""
        meaning, name = self._meaning(node, hidden)
        return (None if isinstance(meaning, _Library) else meaning), name

    def is_alias(self, node: ast.Assign) -> bool:
        """Whether an assignment does nothing but give a name."""
        target = node.targets[0]
        return isinstance(target, ast.Name) and target.id in self.meanings and _is_path(node.value)

    def value(self, name: str) -> ast.expr | None:
        """What a name stands for that the module binds once, by an assignment."""
        values: list[ast.expr | None] = []
        for node, _ in self.code.nodes(self.code.lines([name])):
            target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
            target = node.target if isinstance(node, ast.AnnAssign) else target
            if isinstance(target, ast.Name) and target.id == name:
                values.append(node.value)  # type: ignore[attr-defined]
            values += [None] * (bound_by(node) + imported_by(node)).count(name)
        return values[0] if len(values) == 2 and values[1] is None else None

    def _meaning(self, node: ast.AST, hidden: frozenset[str]) -> tuple[_Meaning | None, str | None]:
        if isinstance(node, ast.Name):
            if node.id in hidden:
                return None, None
            known = self.meanings.get(node.id) or (MetadataModule() if node.id in _EVERYWHERE else None)
            return known, node.id if known else None
        if isinstance(node, ast.Attribute):
            base, name = self._meaning(node.value, hidden)
            return self._attribute(base, node.attr, rebound=name in self.rebound), name
        return (_imported_by_call(node) if isinstance(node, ast.Call) else None), None

    def _attribute(self, base: _Meaning | None, name: str, *, rebound: bool) -> _Meaning | None:
        if isinstance(base, Function):
            return Function(name) if name in _FINDERS else base
        if isinstance(base, MetadataModule):
            return None if rebound and name not in _KNOWN else Function(name)
        is_module = (name == "metadata" and base is not None) or name in _EVERYWHERE
        return MetadataModule() if is_module else None


def read_aliases(code: Code) -> Aliases:
    """The names by which a module has what looks up metadata."""
    meanings: dict[str, _Meaning] = {}
    offered: dict[str, tuple[int, Function | MetadataModule]] = {}
    for node, is_outside in code.nodes(code.lines(["import"])):
        for name, meaning in _imported(node):
            meanings[name] = meaning
            if is_outside and not isinstance(meaning, _Library) and name not in _EVERYWHERE:
                offered[EVERYTHING if _is_starred(node) else name] = getattr(node, "lineno", 1), meaning
    lines = code.lines([*meanings, *_EVERYWHERE, "import"])
    aliases = Aliases(code=code, meanings=meanings, lines=lines, offered=offered, rebound=frozenset())
    assigned = {}
    rebound = set()
    for node, is_outside in code.nodes(lines):
        if is_outside:
            rebound |= meanings.keys() & set(bound_by(node))
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found = aliases.meaning(node.value, frozenset())[0] if _is_path(node.value) else None
            if found is not None and node.targets[0].id not in meanings:
                assigned[node.targets[0].id] = found
    if assigned:
        lines = code.lines([*meanings, *assigned, *_EVERYWHERE, "import"])
    return replace(aliases, meanings=meanings | assigned, lines=lines, rebound=frozenset(rebound))


def _imported(node: ast.AST) -> Iterator[tuple[str, _Meaning]]:
    """The names that an import binds to what matters."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.asname and _is_one_of_modules(alias.name):
                yield alias.asname, MetadataModule()
            elif alias.name == _LIBRARY or (alias.name.startswith(f"{_LIBRARY}.") and not alias.asname):
                yield alias.asname or _LIBRARY, _Library()
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if _is_one_of_modules(node.module or ""):
                names = _STARRED if alias.name == EVERYTHING else (alias.name,)
                yield from ((alias.asname or name, Function(name)) for name in names)
            elif alias.name in _EVERYWHERE or (node.module == _LIBRARY and alias.name == "metadata"):
                yield alias.asname or alias.name, MetadataModule()


def _is_starred(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.names[0].name == EVERYTHING


def _imported_by_call(call: ast.Call) -> _Meaning | None:
    """What a call imports that names one of the modules: ``import_module("importlib.metadata")``."""
    given = call.args[0] if call.args else None
    if "import" not in called_name(call) or not isinstance(given, ast.Constant) or not isinstance(given.value, str):
        return None
    if called_name(call) == "__import__" and given.value == MODULES[0] and len(call.args) == 1:
        return _Library()
    return MetadataModule() if _is_one_of_modules(given.value) else None


def _is_one_of_modules(name: str) -> bool:
    return any(f".{name}".endswith(f".{module}") for module in MODULES)


def _is_path(node: ast.AST) -> bool:
    """Whether an expression is a name, dotted or not, or an import by name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) or (isinstance(node, ast.Call) and _imported_by_call(node) is not None)
