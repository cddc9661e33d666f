"""What a distribution's code loads for certain, and what it only tries to load: by reading it, nothing is run.

``try: from . import _fast`` with a handler that goes on without it makes ``_fast`` optional; a handler that ends by
raising, as one that explains what went wrong, does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lambdabuild.model.evidence import is_test
from lambdabuild.model.syntax import parse, running_parts

Names = tuple[str, ...]
"""The parts of a module's dotted name."""

_FAILURES = frozenset({"ImportError", "OSError", "Exception", "BaseException"})
"""What a module that cannot be loaded raises (OSError with ctypes), and the classes above it."""
_INIT = "__init__"


class Code:
    """The code of one distribution; a file is parsed when a question first concerns it."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        """``sources`` by path relative to the import path; those of tests are passed over."""
        self._sources = {path: source for path, source in sources.items() if not is_test(path)}
        self._imports: dict[str, list[tuple[Names, bool]]] = {}
        self._texts: dict[str, list[tuple[str, bool]]] = {}
        self._tried: dict[Names, bool] = {}

    def tries_only(self, module: Names) -> bool:
        """Whether the module is imported, and only where it may fail: itself, or the modules that import it."""
        return _all_and_any(caught or self._is_tried(name) for name, caught in self._importers(module))

    def imports(self, module: Names) -> bool:
        """Whether the module is imported where a failure is not caught."""
        return any(not caught for _, caught in self._importers(module))

    def mentions(self, file: str) -> bool:
        """Whether a text names the file, with or without suffix, where a failure to load it is not caught."""
        stem = file.partition(".so")[0]
        wanted = {file, stem, f"{stem}.so"}
        return any(
            not caught and text.rpartition("/")[2] in wanted
            for path in self._with(stem)
            for text, caught in self._texts_of(path)
        )

    def _is_tried(self, module: Names) -> bool:
        if module not in self._tried:
            nested = len(module) > 1  # who uses a distribution imports what is topmost
            self._tried[module] = nested and _all_and_any(caught for _, caught in self._importers(module))
        return self._tried[module]

    def _importers(self, module: Names) -> Iterator[tuple[Names, bool]]:
        """The modules that import a module, and whether they catch that it fails."""
        dotted = (".".join(module), f".{module[-1]}")
        for path in self._with(module[-1]):
            name = _module_of(path)
            if name == module:
                continue
            for imported, caught in self._imports_of(path):
                if imported[: len(module)] == module:
                    yield name, caught
            if any(f"{quote}{text}{quote}".encode() in self._sources[path] for text in dotted for quote in "'\""):
                yield from ((name, caught) for text, caught in self._texts_of(path) if text in dotted)

    def _with(self, word: str) -> Iterator[str]:
        found = word.encode()
        return (path for path, source in self._sources.items() if found in source)

    def _imports_of(self, path: str) -> list[tuple[Names, bool]]:
        """Full names, and whether a failure is caught."""
        if path not in self._imports:
            self._imports[path] = list(imports_of(path, self._sources[path]))
        return self._imports[path]

    def _texts_of(self, path: str) -> list[tuple[str, bool]]:
        if path not in self._texts:
            tree = _parsed(self._sources[path])
            self._texts[path] = [
                (node.value, caught)
                for node, caught in (_walk(tree, expressions=True) if tree is not None else ())
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
        return self._texts[path]


def imports_of(path: str, source: bytes) -> Iterator[tuple[Names, bool]]:
    """As ``each_import``; nothing for what cannot be parsed, such as code for a newer Python than the one at hand."""
    tree = _parsed(source)
    return each_import(path, tree) if tree is not None else iter(())


def each_import(path: str, tree: ast.Module) -> Iterator[tuple[Names, bool]]:
    """Full names that a module imports, ``from a import b`` as a.b, and whether it goes on when that fails."""
    for node, caught in _walk(tree, expressions=False):
        if isinstance(node, ast.Import):
            yield from ((tuple(alias.name.split(".")), caught) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((name, caught) for name in _imported_from(node, path))


def _all_and_any(values: Iterable[bool]) -> bool:
    """Whether there are values and all are true; stops at the first that is not."""
    value = False
    for value in values:
        if not value:
            break
    return value


def _parsed(source: bytes) -> ast.Module | None:
    try:
        return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _walk(tree: ast.Module, *, expressions: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Every node that an import would run, and whether a failure in it is caught."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, caught = waiting.pop()
        yield node, caught
        waiting += (part for part in _parts(node, caught) if expressions or not isinstance(part[0], ast.expr))


def _parts(node: ast.AST, caught: bool) -> Iterator[tuple[ast.AST, bool]]:
    """The parts of a node, each with whether a failure in it is caught."""
    risked = _risked(node)
    return ((part, caught or part in risked) for part in running_parts(node))


def _risked(node: ast.AST) -> Sequence[ast.AST]:
    """The statements of a node that may fail, or need not be run, when the module is imported."""
    if isinstance(node, ast.Try) and _goes_on(node.handlers):
        return [*node.body, *node.handlers]  # what a handler imports stands in for what failed
    if isinstance(node, ast.With):
        return node.body if any(_suppresses(item.context_expr) for item in node.items) else ()
    return node.body if isinstance(node, ast.If) and _is_main(node.test) else ()


def _goes_on(handlers: Sequence[ast.ExceptHandler]) -> bool:
    """Whether the one that catches that something cannot be loaded does not end by raising."""
    first = next((handler for handler in handlers if _catches(handler.type)), None)
    return first is not None and not isinstance(first.body[-1], ast.Raise)


def _catches(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any((one.id if isinstance(one, ast.Name) else getattr(one, "attr", "")) in _FAILURES for one in kinds)


def _suppresses(context: ast.expr) -> bool:
    if not isinstance(context, ast.Call):
        return False
    name = context.func.id if isinstance(context.func, ast.Name) else getattr(context.func, "attr", "")
    return name == "suppress" and any(map(_catches, context.args))


def _is_main(test: ast.expr) -> bool:
    """``__name__ == "__main__"``: not run by an import."""
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _imported_from(node: ast.ImportFrom, path: str) -> Iterator[Names]:
    module = _module_of(path)
    package = module if path.endswith(f"{_INIT}.py") else module[:-1]
    if node.level > len(package):
        return  # beyond the top: it fails when it runs
    base = package[: len(package) - node.level + 1] if node.level else ()
    base += tuple(node.module.split(".")) if node.module else ()
    yield from ((*base, alias.name) for alias in node.names)


def _module_of(path: str) -> Names:
    names = tuple(path.removesuffix(".py").split("/"))
    return names[:-1] if names[-1] == _INIT else names
