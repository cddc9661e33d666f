"""What of a module's syntax counts when it runs."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import lru_cache


@lru_cache(maxsize=32)
def parse(source: bytes | str) -> ast.Module:
    """The tree of a module's source. What Python warns of, such as invalid escape sequences, is for who runs the code.

    It is kept for who asks next, and not to be changed. Raises what ``ast.parse`` does.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def running_parts(node: ast.AST) -> Iterator[ast.AST]:
    """The parts that a node is made of, but for blocks that only type checkers read."""
    if isinstance(node, ast.If):
        known = _value_at_run_time(node.test)
        yield node.test
        yield from () if known is False else node.body
        yield from () if known is True else node.orelse
    else:
        yield from ast.iter_child_nodes(node)


def _value_at_run_time(test: ast.expr) -> bool | None:
    """Of a condition that TYPE_CHECKING decides; None for any other."""
    if isinstance(test, ast.Name | ast.Attribute):
        name = test.id if isinstance(test, ast.Name) else test.attr
        return False if name == "TYPE_CHECKING" else None
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        known = _value_at_run_time(test.operand)
        return None if known is None else not known
    if isinstance(test, ast.BoolOp):
        deciding = isinstance(test.op, ast.Or)
        return deciding if deciding in map(_value_at_run_time, test.values) else None
    return None
