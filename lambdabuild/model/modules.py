"""The modules that files make importable, by their paths alone."""

from __future__ import annotations

import re
from collections.abc import Iterable

_EXTENSION = re.compile(r"(?P<name>[^.]+)(\.(cpython-(?P<version>\d+)(-[^.]*)?|abi3))?\.so")
"""An extension module's file name: https://peps.python.org/pep-3149/ and ``abi3`` of the stable ABI."""


def top_level_modules(paths: Iterable[str], python: str, *, layer: bool) -> tuple[str, ...]:
    """The modules and packages that stand at the root of the import path, sorted.

    ``python`` is the runtime's (``"3.13"``). In a folder without ``__init__.py``, a namespace package, they are the
    packages and extension modules in it: ``google.cloud.storage``.
    """
    roots = (f"python/lib/python{python}/site-packages/", "python/") if layer else ("",)
    relative = {
        path.removeprefix(root)
        for path in paths
        if (root := next((root for root in roots if path.startswith(root)), None)) is not None
    }
    folders = {path.rpartition("/")[0] for path in relative if path.endswith(("/__init__.py", "/__init__.pyc"))}
    found = (_module(path, folders, python) for path in relative)
    return tuple(sorted({module for module in found if module is not None}))


def _module(path: str, packages: set[str], python: str) -> str | None:
    """The top-level module that a file belongs to, or makes."""
    *above, name = path.split("/")
    if not all(part.isidentifier() for part in above):
        return None
    for depth in range(1, len(above) + 1):
        if "/".join(above[:depth]) in packages:
            return ".".join(above[:depth])
    stem = _stem(name, python, alone=not above)
    return ".".join((*above, stem)) if stem is not None else None


def _stem(name: str, python: str, *, alone: bool) -> str | None:
    """The name of the module in a file, which stands ``alone`` in no folder."""
    if alone and name.endswith((".py", ".pyc")):
        stem = name.partition(".py")[0]
    else:
        found = _EXTENSION.fullmatch(name)
        if found is None or found["version"] not in (None, python.replace(".", "")):
            return None
        stem = found["name"]
    return stem if stem.isidentifier() and stem not in ("__init__", "__main__") else None
