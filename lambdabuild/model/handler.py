"""Whether a module has the attribute that a handler names, by reading its source."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator

from lambdabuild.model.syntax import running_parts

_OTHER_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def split_handler(handler: str) -> tuple[str, str]:
    """Module path (with ``/``) and attribute of a handler, as the runtime reads it: the last dot parts them."""
    module, _, attribute = handler.rpartition(".")
    return module.replace(".", "/"), attribute


def find_syntax_problem(source: bytes) -> str | None:
    """What keeps the Python that runs this from reading a module."""
    try:
        ast.parse(source)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}" if error.lineno else error.msg
    except ValueError as error:  # a null byte, before Python 3.12
        return str(error)
    return None


def find_handler_problem(source: bytes, attribute: str) -> str | None:
    """None when the module defines the attribute, else what is wrong.

    A star import, or a ``__getattr__`` of the module, may define anything.
    """
    problem = find_syntax_problem(source)
    if problem is not None:
        return problem
    names = set(_names(ast.parse(source)))
    if names & {attribute, "*", "__getattr__"}:
        return None
    near = difflib.get_close_matches(attribute, sorted(names), n=1)
    return f'it defines no "{attribute}"' + (f'; did you mean "{near[0]}"?' if near else "")


def _names(module: ast.Module) -> Iterator[str]:
    """What is defined at the top of a module, in whatever block."""
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.AnnAssign) and node.value is None:
            continue  # says what a name will be, and defines nothing
        elif not isinstance(node, _OTHER_SCOPES):
            waiting += running_parts(node)
