"""model.toplevel: names at the top of the import path."""

from __future__ import annotations

import pytest

from lambdabuild.configfile import read_runtimes, read_stdlib
from lambdabuild.model.importroot import Root, names, tree_root
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.toplevel import remark_top_level
from lambdabuild.model.tree import Tree, overlaid, segment_tree, source_tree
from tests.samples import member, segment

STDLIB = read_stdlib()["3.13"]
SHADOWS = "have names of the standard library's, and of each name only one can be imported"
IMPORT_ORDER = "rename them; /var/task and /opt come before the standard library on Lambda's import path"


def root(*sources: str, **distributions: tuple[str, ...]) -> Root:
    """A function's import root: sources, and distributions of version 1 with the files that are named."""
    segments = [segment(name, "1", *map(member, paths)) for name, paths in distributions.items()]
    tree, _ = overlaid(
        segment_tree(segments, distribution_rules(keep=["*"])), source_tree(map(member, sources)), name="a.zip"
    )
    return tree_root(tree, artifact="a.zip", root="", mount="/var/task")


def remarks(*sources: str, **distributions: tuple[str, ...]) -> list[tuple[str, str]]:
    found = list(remark_top_level(root(*sources, **distributions), STDLIB))
    assert {one.artifact for one in found} <= {"a.zip"}
    return [(one.text, one.hint) for one in found]


def test_an_ordinary_artifact() -> None:
    assert remarks() == []
    assert (
        remarks(
            *(
                "app.py",
                "shop/__init__.py",
                "shop/queue.py",
                "__init__.py",
                "_json.txt",
                "tests/test_app.py",
                "docs.py",
            ),
            typing_extensions=("typing_extensions.py", "_typing.json"),
            numpy=("numpy/testing/__init__.py", "numpy/random.so", "numpy/tests/__init__.py"),
            botocore=("botocore/docs/__init__.py", "botocore/examples/a.json"),
            setuptools=(
                "_distutils_hack/__init__.py",
                "setuptools/_distutils/__init__.py",
                "pkg_resources/__init__.py",
            ),
        )
        == []
    )


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("queue.py", "queue.py"),
        ("email/__init__.py", "email/"),
        ("json.cpython-313-x86_64-linux-gnu.so", "json.cpython-313-x86_64-linux-gnu.so"),
        ("_json.abi3.so", "_json.abi3.so"),
        ("code.pyc", "code.pyc"),
        ("__future__.py", "__future__.py"),
    ],
)
def test_names_of_the_standard_library(path: str, told: str) -> None:
    assert remarks("app.py", path) == [
        (
            f"modules of the sources {SHADOWS}: {told}",
            IMPORT_ORDER,
        )
    ]
    assert remarks("app.py", enum34=(path, "enum34/a.py")) == [
        (
            f"modules of enum34 1 {SHADOWS}: {told}",
            f'where nothing needs them: exclude = ["/{told}"]',
        )
    ]


@pytest.mark.parametrize(
    "path",
    [
        "code/app.py",  # without __init__ the standard library's module is found first
        "email/templates/a.html",
        "json.py.txt",
        "queue.pyi",
        "shop/json.py",
        "code-1/__init__.py",
        "__pycache__/queue.cpython-313.pyc",
    ],
)
def test_what_shadows_nothing(path: str) -> None:
    assert remarks(path) == []
    assert remarks(demo=(path,)) == []


def test_many_names_are_one_remark_by_owner() -> None:
    sources = [f"{name}.py" for name in ("ast", "bdb", "cmd", "csv", "dis")]
    assert remarks(*sources, enum34=("enum/__init__.py",), futures=("types.py",)) == [
        (
            f"modules of the sources {SHADOWS}: ast.py, bdb.py, cmd.py and 2 more",
            IMPORT_ORDER,
        ),
        (
            f"modules of enum34 1 {SHADOWS}: enum/",
            'where nothing needs them: exclude = ["/enum/"]',
        ),
        (
            f"modules of futures 1 {SHADOWS}: types.py",
            'where nothing needs them: exclude = ["/types.py"]',
        ),
    ]


def test_a_name_of_one_version_of_the_standard_library() -> None:
    distutils = root("distutils/__init__.py")
    assert list(remark_top_level(distutils, read_stdlib()["3.12"])) == []
    assert len(list(remark_top_level(distutils, read_stdlib()["3.11"]))) == 1


def test_packages_that_a_distribution_drops() -> None:
    found = remarks(
        "tests/conftest.py",
        demo=("demo/__init__.py", "docs/conf.py", "examples/__init__.py", "examples/a/b.py", "test.py", "doc/a.html"),
        examples=("examples/c.py",),
    )
    assert found == [
        (
            "demo 1 puts names at the top of the import path that hardly are its own: docs/, examples/, test.py",
            'where nothing imports them: exclude = ["/docs/", "/examples/", "/test.py"]',
        )
    ]


def test_a_module_beside_a_package_of_its_name() -> None:
    hint = "rename the module, or exclude one of the two"
    assert remarks("requests.py", requests=("requests/__init__.py",)) == [
        ("requests/__init__.py of requests 1 hides requests.py of the sources", hint)
    ]
    assert remarks("one/__init__.py", one=("one.py",)) == [
        ("one/__init__.py of the sources hides one.py of one 1", hint)
    ]
    assert remarks("one/a.py", one=("one.py",)) == []
    assert remarks("both.py", "both/__init__.py") == []
    assert remarks(py=("py/__init__.py",), pytest=("py.py",)) == []  # a stand-in, to be hidden


def test_names_of_a_folder() -> None:
    found = names(["a/__init__.py", "a/x/y.py", "a.py", "a.so", "b/c.py", "b/d.txt", "e.txt", "f-1/g.py"])
    assert {name: (one.found, one.modules, one.below) for name, one in found.items()} == {
        "a": ("a/__init__.py", ("a.so", "a.py"), ("a/__init__.py", "a/x/y.py")),
        "b": (None, (), ("b/c.py",)),
    }
    assert list(names(["a/b/c.py", "a/d.py", "e.py"], "a/")) == ["b", "d"]


def test_names_of_what_the_runtime_brings() -> None:
    assert remarks("boto3/__init__.py", "urllib3.py", "app.py", "botocore/data.json") == [
        (
            "modules of the sources have names of what the runtime brings, and hide it: boto3/, urllib3.py",
            "rename them; /var/task and /opt come before the runtime's own modules on Lambda's import path",
        )
    ]
    assert remarks(boto3=("boto3/__init__.py",)) == []


def test_the_standard_librarys_names_are_known_for_each_runtime() -> None:
    listed = read_stdlib()
    assert list(listed) == [runtime.python for runtime in read_runtimes()]
    for python, found in listed.items():
        assert {"json", "sys", "_thread", "__future__", "winreg"} <= found
        assert ("distutils" in found) == (python in ("3.10", "3.11"))
        assert all(name.isidentifier() for name in found)


def test_an_empty_root() -> None:
    empty = tree_root(Tree({}), artifact="a.zip", root="python/", mount="/opt")
    assert empty == Root(folder="/opt/python", files={})
    assert list(remark_top_level(empty, STDLIB)) == []
