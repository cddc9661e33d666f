"""Paths that may stand in an archive."""

from __future__ import annotations

from pathlib import PurePosixPath

from lambdabuild.errors import PolicyError


def check_path(path: str) -> None:
    """Raise PolicyError unless the path is relative, stays below its root and can be told in a zip."""
    if not path or path.startswith("/") or ".." in PurePosixPath(path).parts or "\\" in path or not path.isprintable():
        raise PolicyError(
            f"{path!r} is not a path that may be packaged: a path is relative, below its root, and of printable UTF-8"
        )
