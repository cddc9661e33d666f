"""Which distributions an expression names, as far as that can be read."""

from __future__ import annotations

import ast
import re

from packaging.utils import canonicalize_name

from lambdabuild.model.aliases import Aliases
from lambdabuild.model.facts import OWN

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
"""The name that a requirement (PEP 508) starts with."""
_OWN = ("__name__", "__package__", "__spec__")
_CONVERSIONS = ("str", "cast")
_DEEPEST = 8
"""How many names are followed from one to the next."""


def read_names(node: ast.expr, aliases: Aliases, depth: int = 0) -> frozenset[str | None]:
    """Normalized names; ``OWN`` for that of the module's own package, None for what cannot be told."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        found = _REQUIREMENT.match(node.value)
        return frozenset({canonicalize_name(found[1]) if found else None})
    if isinstance(node, ast.IfExp):
        return read_names(node.body, aliases, depth) | read_names(node.orelse, aliases, depth)
    if isinstance(node, ast.BoolOp):
        return frozenset(name for value in node.values for name in read_names(value, aliases, depth))
    if isinstance(node, ast.Name) and depth < _DEEPEST and (value := aliases.value(node.id)) is not None:
        return read_names(value, aliases, depth + 1)
    return frozenset({OWN if _is_own(node) else None})


def _is_own(node: ast.expr) -> bool:
    """Whether an expression is made from the module's own name and constants: ``__name__.split(".")[0]``."""
    if isinstance(node, ast.Attribute | ast.Subscript):
        return _is_own(node.value)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _CONVERSIONS and node.args:
            return _is_own(node.args[-1])
        return isinstance(node.func, ast.Attribute) and _is_own(node.func) and all(map(_is_constant, node.args))
    return isinstance(node, ast.Name) and node.id in _OWN


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)
