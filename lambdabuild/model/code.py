"""A module's source and syntax tree, which is walked only where certain words stand: most of a module need not be."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lambdabuild.model.syntax import running_parts

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
"""Nodes with names of their own."""
_NEWLINES = re.compile(rb"\r\n?")


@dataclass(frozen=True, slots=True)
class Code:
    """A module that could be parsed."""

    source: bytes
    tree: ast.Module

    def lines(self, words: Iterable[str]) -> Sequence[int]:
        """The numbers of the lines that hold one of these, in their order."""
        found: list[int] = []
        number, at = 1, 0
        for match in re.finditer(b"|".join(re.escape(word.encode()) for word in sorted(words)), self.source):
            number += self.source.count(b"\n", at, match.start())
            at = match.start()
            if not found or found[-1] != number:
                found.append(number)
        return found

    def nodes(self, lines: Sequence[int]) -> Iterator[tuple[ast.AST, bool]]:
        """The nodes on these lines that run, and whether they stand outside of all functions."""
        waiting: list[tuple[ast.AST, bool]] = [(self.tree, True)]
        while waiting:
            node, is_outside = waiting.pop()
            yield node, is_outside
            inner = is_outside and not isinstance(node, FUNCTIONS)
            waiting += ((part, inner) for part in parts_on(node, lines))


def parse_code(source: bytes) -> Code:
    """Raises SyntaxError, ValueError, RecursionError or MemoryError for what Python cannot read."""
    source = _NEWLINES.sub(b"\n", source)
    return Code(source, ast.parse(source))


def parts_on(node: ast.AST, lines: Sequence[int]) -> Iterator[ast.AST]:
    """The parts of a node that run and may stand on one of these lines."""
    for part in running_parts(node):
        first = getattr(part, "lineno", None)
        if first is None:
            yield part
            continue
        decorators = getattr(part, "decorator_list", None)
        found = bisect_left(lines, decorators[0].lineno if decorators else first)
        if found < len(lines) and lines[found] <= part.end_lineno:  # type: ignore[attr-defined]
            yield part


def bound_by(node: ast.AST) -> tuple[str, ...]:
    """The names that a node binds by itself, but for imports."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return (node.id,)
    if isinstance(node, ast.arg):
        return (node.arg,)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return (node.name,)
    return ()


def imported_by(node: ast.AST) -> tuple[str, ...]:
    """The names that an import binds."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return tuple(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    return ()


def called_name(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
