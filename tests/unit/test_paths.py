"""model.paths: what may stand in an archive."""

from __future__ import annotations

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.paths import check_path


@pytest.mark.parametrize("path", ["a.py", "a/b/c.py", ".hidden", "..a/b..", "a b/ü.py", "データ/😀.txt", "-", "a:b"])
def test_paths_that_may_be_packaged(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "..",
        "../a",
        "a/../../b",
        "a/..",
        "a\\b",
        "a\0b",
        "a\nb",
        "a\x1b[31m",
        "caf\udce9.py",
        "a\u202eyp.b",
    ],
)
def test_paths_that_may_not(path: str) -> None:
    with pytest.raises(PolicyError) as caught:
        check_path(path)
    assert str(caught.value) == (
        f"{path!r} is not a path that may be packaged: a path is relative, below its root, and of printable UTF-8"
    )
    assert str(caught.value).isprintable()
