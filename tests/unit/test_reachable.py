"""model.reachable: which modules a handler's imports reach, read and never run."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lambdabuild.model.reachable import data_of, reach


def reached(files: Mapping[str, str], *starts: str) -> list[str]:
    return sorted(reach(starts or ["app.py"], files, files.__getitem__))


def imports(source: str, *others: str, at: str = "app.py") -> list[str]:
    """What a module of this source reaches, besides itself."""
    found = reached({at: source, **dict.fromkeys(others, "")}, at)
    return [path for path in found if path != at]


PACKAGE = ("a/__init__.py", "a/b.py", "a/c/__init__.py", "a/c/d.py", "e.py")


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("import e", ["e.py"]),
        ("import a", ["a/__init__.py"]),
        ("import a.b", ["a/__init__.py", "a/b.py"]),
        ("import a.c", ["a/__init__.py", "a/c/__init__.py"]),
        ("import a.c.d as d, e", ["a/__init__.py", "a/c/__init__.py", "a/c/d.py", "e.py"]),
        ("from a import b", ["a/__init__.py", "a/b.py"]),
        ("from a import name", ["a/__init__.py"]),
        ("from a import b as x, c", ["a/__init__.py", "a/b.py", "a/c/__init__.py"]),
        ("from a.c import d", ["a/__init__.py", "a/c/__init__.py", "a/c/d.py"]),
        ("from a.c.d import name", ["a/__init__.py", "a/c/__init__.py", "a/c/d.py"]),
        ("from a.b import *", ["a/__init__.py", "a/b.py"]),
        ("from a import *", ["a/__init__.py"]),
        ("import json, boto3.session", []),
        ("from json import b", []),
        ("from . import e", []),
        ("from .e import x", []),
        ("import_module('e')", []),
        ("'import e'", []),
    ],
)
def test_every_form_of_import(source: str, paths: list[str]) -> None:
    assert imports(source, *PACKAGE) == paths


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    import e",
        "async def f():\n    import e",
        "class A:\n    import e",
        "class A:\n    def f(self):\n        def g():\n            import e",
        "try:\n    import e\nexcept ImportError:\n    pass",
        "try:\n    pass\nexcept ImportError:\n    import e",
        "try:\n    pass\nfinally:\n    import e",
        "if X:\n    pass\nelif Y:\n    import e",
        "with x:\n    import e",
        "for x in y:\n    pass\nelse:\n    import e",
        "while x:\n    import e",
        "match x:\n    case 1:\n        import e",
        "x = 1; import e",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import e",
        "if not TYPE_CHECKING:\n    import e",
        "if TYPE_CHECKING or X:\n    import e",
        "if X and TYPE_CHECKED:\n    import e",
    ],
)
def test_imports_wherever_they_stand(source: str) -> None:
    assert imports(source, "e.py") == ["e.py"]


@pytest.mark.parametrize(
    "source",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import e",
        "import typing as t\nif t.TYPE_CHECKING:\n    from e import x",
        "if TYPE_CHECKING and X:\n    import e",
        "if not TYPE_CHECKING:\n    pass\nelse:\n    import e",
        "if not (TYPE_CHECKING and X):\n    pass\nelse:\n    import e",
        "if X or not TYPE_CHECKING:\n    pass\nelse:\n    import e",
        "def f():\n    if TYPE_CHECKING:\n        if X:\n            import e",
    ],
)
def test_imports_for_type_checkers_alone(source: str) -> None:
    assert imports(source, "e.py") == []


@pytest.mark.parametrize(
    ("at", "source", "paths"),
    [
        ("a/x.py", "from . import b", ["a/__init__.py", "a/b.py"]),
        ("a/x.py", "from .b import y", ["a/__init__.py", "a/b.py"]),
        ("a/x.py", "from .c.d import y", ["a/__init__.py", "a/c/__init__.py", "a/c/d.py"]),
        ("a/x.py", "from .c import d", ["a/__init__.py", "a/c/__init__.py", "a/c/d.py"]),
        ("a/x.py", "from .. import e", ["a/__init__.py"]),
        ("a/c/x.py", "from .. import b", ["a/__init__.py", "a/b.py", "a/c/__init__.py"]),
        ("a/c/x.py", "from ..b import y", ["a/__init__.py", "a/b.py", "a/c/__init__.py"]),
        ("a/c/x.py", "from ... import e", ["a/__init__.py", "a/c/__init__.py"]),
        ("a/c/__init__.py", "from . import d", ["a/__init__.py", "a/c/d.py"]),
        ("a/c/__init__.py", "from .. import b", ["a/__init__.py", "a/b.py"]),
        ("a/x.py", "import b", ["a/__init__.py"]),
    ],
)
def test_relative_imports(at: str, source: str, paths: list[str]) -> None:
    assert imports(source, *(path for path in PACKAGE if path != at), at=at) == paths


def test_imports_are_followed() -> None:
    files = {
        "app.py": "import a.b",
        "a/__init__.py": "from a import late",
        "a/b.py": "from .c import d",
        "a/c/__init__.py": "import e",
        "a/c/d.py": "import app",
        "a/late.py": "",
        "e.py": "",
        "f.py": "import e",
    }
    assert reached(files) == ["a/__init__.py", "a/b.py", "a/c/__init__.py", "a/c/d.py", "a/late.py", "app.py", "e.py"]


def test_each_module_is_read_once_and_none_that_is_not_reached() -> None:
    files = {"app.py": "import a, b", "a.py": "import b, app", "b.py": "import a", "c.py": "import a"}
    read = []

    def load(path: str) -> str:
        read.append(path)
        return files[path]

    reach(["app.py"], files, load)
    assert sorted(read) == ["a.py", "app.py", "b.py"]


def test_folders_without_init_are_packages_too() -> None:
    assert imports("import a.b.c", "a/b/c.py", "a/b/d.py") == ["a/b/c.py"]
    assert imports("from a.b import c", "a/b/c.py") == ["a/b/c.py"]
    assert imports("from a import b", "a/b/c.py") == []


def test_a_package_comes_before_a_module_of_its_name() -> None:
    assert imports("import a", "a/__init__.py", "a.py") == ["a/__init__.py"]


def test_a_handler_that_is_a_path() -> None:
    files = {"functions/api/main.py": "", "functions/__init__.py": "import e", "e.py": "", "functions/other.py": ""}
    assert reached(files, "functions/api/main.py") == ["e.py", "functions/__init__.py", "functions/api/main.py"]


def test_several_starts() -> None:
    files = {"app.py": "", "a/__init__.py": "", "a/plugin.py": "import e", "e.py": "", "f.py": ""}
    assert reached(files, "app.py", "a/plugin.py") == ["a/__init__.py", "a/plugin.py", "app.py", "e.py"]


@pytest.mark.parametrize(
    "init",
    ["__all__ = ['b', 'name']", "__all__: list[str] = ['b']", "__all__ = []\n__all__ += ('b',)", "x = __all__ = ['b']"],
)
def test_a_star_imports_the_modules_that_the_package_exports(init: str) -> None:
    files = {"app.py": "from a import *", "a/__init__.py": init, "a/b.py": "", "a/c.py": ""}
    assert reached(files) == ["a/__init__.py", "a/b.py", "app.py"]


def test_sources_as_bytes() -> None:
    source = b"# coding: latin-1\nNAME = '\xe9'\nimport e\n"
    assert reach(["app.py"], ["app.py", "e.py"], {"app.py": source, "e.py": b""}.__getitem__) == {"app.py", "e.py"}


@pytest.mark.parametrize(
    ("source", "line"), [("x = 1\nx =\n", 2), (b"# coding: nonsense", None), ("'\0'", None), (b"'\xe9'", None)]
)
def test_what_is_no_python(source: str | bytes, line: int | None) -> None:
    with pytest.raises(SyntaxError) as caught:
        reach(["app.py"], ["app.py", "e.py"], {"app.py": "import e", "e.py": source}.__getitem__)
    assert caught.value.filename == "e.py"
    assert line is None or caught.value.lineno == line


def test_data() -> None:
    paths = {
        "app.py",
        "config.json",
        "static/a.css",
        "a/__init__.py",
        "a/x.sql",
        "a/sql/deep/y.sql",
        "a/c/d.py",
        "a/c/z.so",
        "a/c/data/z.bin",
        "f/g.py",
        "f/h.txt",
    }
    assert data_of({"app.py", "a/__init__.py"}, paths) == {"config.json", "static/a.css", "a/x.sql", "a/sql/deep/y.sql"}
    assert data_of({"a/__init__.py", "a/c/d.py"}, paths) == {
        "config.json",
        "static/a.css",
        "a/x.sql",
        "a/sql/deep/y.sql",
        "a/c/z.so",
        "a/c/data/z.bin",
    }
    assert data_of({"f/g.py"}, paths) == {"config.json", "static/a.css", "f/h.txt"}
