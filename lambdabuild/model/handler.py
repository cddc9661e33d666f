"""Whether a module has the attribute that a handler names, by reading its source."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Iterator

_BLOCKS = ("body", "orelse", "finalbody", "handlers")


def split_handler(handler: str) -> tuple[str, str]:
    """Module path (with ``/``) and attribute of a handler, as the runtime reads it: the last dot parts them."""
    module, _, attribute = handler.rpartition(".")
    return module.replace(".", "/"), attribute


def find_handler_problem(source: str, attribute: str) -> str | None:
    """None when the module defines the attribute, else what is wrong. A star import may define anything."""
    try:
        names = set(_names(ast.parse(source).body))
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    if attribute in names or "*" in names:
        return None
    near = difflib.get_close_matches(attribute, sorted(names), n=1)
    return f'it defines no "{attribute}"' + (f'; did you mean "{near[0]}"?' if near else "")


def _names(statements: Iterable[ast.AST]) -> Iterator[str]:
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
            yield from (
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            )
        else:
            for block in _BLOCKS:
                yield from _names(getattr(statement, block, ()))
