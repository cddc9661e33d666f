"""model.attempts: what code loads for certain, and what it only tries to load."""

from __future__ import annotations

import textwrap

import pytest

from lambdabuild.model.attempts import Code

FAST = ("demo", "_fast")


def code(text: str, path: str = "demo/__init__.py", **more: str) -> Code:
    sources = {path: text, **{name.replace("__", "/") + ".py": other for name, other in more.items()}}
    return Code({name: textwrap.dedent(source).encode() for name, source in sources.items()})


CERTAIN = {
    "plain": "from demo import _fast",
    "relative": "from . import _fast",
    "from-it": "from ._fast import speed",
    "full": "import demo._fast",
    "star": "from ._fast import *",
    "lazy": "def speed():\n    from . import _fast",
    "by-call": "import importlib\nimportlib.import_module('._fast', __package__)",
    "by-full-name": 'import importlib\nimportlib.import_module("demo._fast")',
    "explained": """
        try:
            from . import _fast
        except ImportError as error:
            raise ImportError("see the page on installation") from error
    """,
    "other-failure": """
        try:
            from . import _fast
        except AttributeError:
            pass
    """,
    "first-handler-raises": """
        try:
            from . import _fast
        except ImportError:
            raise RuntimeError from None
        except Exception:
            pass
    """,
    "finally": """
        try:
            from . import _fast
        finally:
            done = True
    """,
    "else": """
        try:
            import other
        except ImportError:
            pass
        else:
            from . import _fast
    """,
    "once-for-certain": """
        try:
            from . import _fast
        except ImportError:
            pass
        from ._fast import speed
    """,
}
TRIED = {
    "import-error": """
        try:
            from ._fast import speed
        except ImportError:
            speed = None
    """,
    "among-others": """
        try:
            from . import _fast
        except (AttributeError, ImportError):
            _fast = None
    """,
    "os-error": """
        try:
            import demo._fast
        except OSError as error:
            print(error)
    """,
    "any": """
        try:
            from . import _fast
        except:
            pass
    """,
    "deep": """
        def find():
            try:
                with lock:
                    if wanted:
                        from demo import _fast
            except Exception:
                return None
    """,
    "suppressed": """
        import contextlib
        with contextlib.suppress(ImportError):
            from . import _fast
    """,
    "stand-in": """
        try:
            import other
        except ImportError:
            from . import _fast
    """,
    "main": """
        if __name__ == "__main__":
            from . import _fast
    """,
    "by-call": """
        import importlib
        try:
            importlib.import_module("demo._fast")
        except ImportError:
            pass
    """,
}


@pytest.mark.parametrize("text", CERTAIN.values(), ids=CERTAIN)
def test_what_is_loaded_for_certain(text: str) -> None:
    assert not code(text).tries_only(FAST)
    assert code(text).imports(FAST)


@pytest.mark.parametrize("text", TRIED.values(), ids=TRIED)
def test_what_is_only_tried(text: str) -> None:
    assert code(text).tries_only(FAST)
    assert not code(text).imports(FAST)


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from ._faster import speed",
        "from ..demo import _fast",
        "_fast = None",
        "def broken(:\n    from . import _fast",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import _fast",
    ],
)
def test_what_is_not_imported(text: str) -> None:
    assert not code(text).tries_only(FAST)
    assert not code(text).imports(FAST)


def test_a_module_between() -> None:
    """``demo.accelerated`` needs ``_fast``, and is itself only tried."""
    between = {"demo__accelerated": "from ._fast import speed"}
    tried = "try:\n    from .accelerated import speed\nexcept ImportError:\n    speed = None\n"
    assert code(tried, **between).tries_only(FAST)
    assert not code("from .accelerated import speed", **between).tries_only(FAST)
    assert not code("", **between).tries_only(FAST)


def test_tests_do_not_count() -> None:
    tried = TRIED["import-error"]
    assert code(tried, demo__tests__test_fast="from demo import _fast").tries_only(FAST)
    assert not code("", path="demo/tests/__init__.py", demo__tests__a=tried).tries_only(FAST)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("LIBRARY = 'libdemo.so'", True),
        ('LIBRARY = Path(__file__).parent / "lib" / "libdemo.so"', True),
        ('LIBRARY = f"{folder}/libdemo.so"', True),
        ('LIBRARY = f"libdemo{suffix}"', True),
        ('def load():\n    return load_library("libdemo", folder)', True),
        ('PLUGIN = "demo"', False),
        ("NAME = 'another'", False),
        ("try:\n    load('libdemo.so')\nexcept OSError:\n    pass", False),
        ("try:\n    load('libdemo.so')\nexcept OSError as error:\n    raise ImportError from error", True),
        ('"""See libdemo.so for more."""', False),
    ],
)
def test_files_that_code_names(text: str, named: bool) -> None:
    assert code(text).mentions("libdemo.so") is named


def test_files_with_a_version() -> None:
    assert code("LIBRARY = 'libdemo.so.3'").mentions("libdemo.so.3")
    assert code("LIBRARY = 'lib/libdemo.so'").mentions("libdemo.so.3")
    assert not code("LIBRARY = 'libdemo.so.3'").mentions("libother.so.3")
