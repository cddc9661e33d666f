"""Whether a module has the attribute that a handler names, by reading its source."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping

from lambdabuild.model.syntax import parse, running_parts

_OTHER, _PERHAPS, _FUNCTION = range(3)
_MOST = 5
"""Names that a message lists."""
_NAMESPACES = frozenset({"exec", "globals", "locals", "setattr", "vars"})
"""With these a module may define what no reading of it shows."""
_OTHER_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def split_handler(handler: str) -> tuple[str, str]:
    """Module path (with ``/``) and attribute of a handler, as the runtime reads it: the last dot parts them."""
    module, _, attribute = handler.rpartition(".")
    return module.replace(".", "/"), attribute


def find_syntax_problem(source: bytes) -> str | None:
    """What keeps the Python that runs this from reading a module."""
    try:
        parse(source)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}" if error.lineno else error.msg
    except ValueError as error:  # a null byte, before Python 3.12
        return str(error)
    return None


def find_handler_problem(source: bytes, attribute: str) -> str | None:
    """None when the module defines the attribute, else what is wrong.

    A star import, a ``__getattr__`` of the module, or code that reaches for the module's names as a dictionary may
    define anything.
    """
    problem = find_syntax_problem(source)
    if problem is not None:
        return problem
    ranks = _find_ranks(source, attribute)
    if ranks is None:
        return None
    near = _find_near(attribute, ranks)
    if near is not None:
        return f'it defines no "{attribute}"; did you mean "{near}"?'
    functions = [name for name, rank in ranks.items() if rank == _FUNCTION]
    listed = ", ".join(functions[:_MOST]) + ", …" * (len(functions) > _MOST)
    return f'it defines no "{attribute}"' + (f"; its functions are {listed}" if functions else "")


def find_attribute(source: bytes, attribute: str) -> str | None:
    """The attribute when a module defines it, else what of the module was probably meant: something of a similar name,
    or its only function; None if nothing was."""
    if find_syntax_problem(source) is not None:
        return None
    ranks = _find_ranks(source, attribute)
    if ranks is None:
        return attribute
    functions = [name for name, rank in ranks.items() if rank == _FUNCTION]
    return _find_near(attribute, ranks) or (functions[0] if len(functions) == 1 else None)


def _find_ranks(source: bytes, attribute: str) -> dict[str, int] | None:
    """None when a module defines an attribute, else what it does define, sorted by name."""
    ranks: dict[str, int] = {}
    for name, rank in _names(parse(source)):
        ranks[name] = max(rank, ranks.get(name, _OTHER))
    return None if ranks.keys() & {attribute, "*", "__getattr__"} else dict(sorted(ranks.items()))


def _find_near(attribute: str, ranks: Mapping[str, int]) -> str | None:
    possible = [name for name, rank in ranks.items() if rank > _OTHER]
    return next(iter(difflib.get_close_matches(attribute, possible, n=1)), None)


def _names(module: ast.Module) -> Iterator[tuple[str, int]]:
    """What is defined at the top of a module, in whatever block, and whether it is or may be a function.

    ``*`` stands for names that only show when the module runs.
    """
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, _FUNCTION
            for inner in ast.walk(node):
                yield from ((name, _OTHER) for name in inner.names) if isinstance(inner, ast.Global) else ()
        elif isinstance(node, ast.ClassDef):
            yield node.name, _OTHER
        elif isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name.partition(".")[0], _OTHER) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, _PERHAPS) for alias in node.names)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call | ast.Lambda | ast.Name | ast.Attribute):
            yield from ((target.id, _PERHAPS) for target in node.targets if isinstance(target, ast.Name))
            waiting += running_parts(node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, _OTHER
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name is not None:
            yield node.name, _OTHER
            waiting += running_parts(node)
        elif isinstance(node, ast.Name) and node.id in _NAMESPACES:
            yield "*", _OTHER
        elif isinstance(node, ast.AnnAssign) and node.value is None:
            continue  # says what a name will be, and defines nothing
        elif not isinstance(node, _OTHER_SCOPES):
            waiting += running_parts(node)
