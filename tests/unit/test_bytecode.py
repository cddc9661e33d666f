"""steps.bytecode: a .pyc beside every Python file of a tree, with the path that the file has in the runtime."""

from __future__ import annotations

import marshal
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType

import pytest

from lambdabuild.cache import Cache
from lambdabuild.model.events import Event, ignore
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.treatment import Transforms
from lambdabuild.model.tree import SOURCES, Tree, overlaid, prefixed, segment_tree, source_tree
from lambdabuild.steps.bytecode import Compiled, compile_bytecode
from tests.contract.fake_builder import FakeBuilder
from tests.samples import content, function_plan, layer_plan, member, segment, target

COMPILE = Transforms(bytecode="compile")
LAYER = layer_plan(transforms=COMPILE)
API = function_plan(transforms=COMPILE)
ONE = segment("one", "1.0", member("one/__init__.py", "ONE = 1"), member("one/old.py", "print 1"), member("one/x.txt"))
APP = source_tree([member("app.py", "import one\n")])

Compile = Callable[..., Compiled]


@pytest.fixture
def builder() -> FakeBuilder:
    return FakeBuilder()


@pytest.fixture
def compiled(builder: FakeBuilder, tmp_path: Path) -> Compile:
    cache = Cache(tmp_path / "cache")
    cache.ensure()

    def run(trees: Mapping[LayerPlan | FunctionPlan, Tree], *, listen: Callable[[Event], None] = ignore) -> Compiled:
        files = {artifact.file: tree for artifact, tree in trees.items()}
        return compile_bytecode(tuple(trees), files, builder=builder, cache=cache, listen=listen)

    return run


def of_one(root: str = "python/", *exclude: str) -> Tree:
    return prefixed(segment_tree([ONE], distribution_rules(exclude)), root)


def code(tree: Tree, path: str) -> CodeType:
    """The code of a .pyc."""
    made = marshal.loads(content(tree.entries[path].member)[16:])
    assert isinstance(made, CodeType)
    return made


def added(before: Tree, after: Tree) -> dict[str, str]:
    """The owners of what is new, by path."""
    assert {path: entry for path, entry in after.entries.items() if path in before.entries} == before.entries
    return {path: entry.owner for path, entry in after.entries.items() if path not in before.entries}


@pytest.mark.parametrize("root", ["python/", "python/lib/python3.13/site-packages/"])
def test_a_layer(compiled: Compile, root: str) -> None:
    made = compiled({LAYER: of_one(root)})
    tree = made.trees["layer.zip"]
    path = f"{root}one/__pycache__/__init__.cpython-313.pyc"
    assert added(of_one(root), tree) == {path: "one 1.0"}
    assert code(tree, path).co_filename == f"/opt/{root}one/__init__.py"
    assert tree.entries[path].member.mode == 0o644
    assert list(tree.entries) == sorted(tree.entries)
    assert made.findings == {}


def test_a_function(compiled: Compile) -> None:
    below = of_one("")
    tree, _ = overlaid(below, APP, name="api.zip")
    made = compiled({API: tree}).trees["api.zip"]
    assert added(tree, made) == {
        "__pycache__/app.cpython-313.pyc": SOURCES,
        "one/__pycache__/__init__.cpython-313.pyc": "one 1.0",
    }
    assert code(made, "__pycache__/app.cpython-313.pyc").co_filename == "/var/task/app.py"
    assert code(made, "one/__pycache__/__init__.cpython-313.pyc").co_filename == "/var/task/one/__init__.py"


def test_what_made_it_is_told(compiled: Compile) -> None:
    empty = function_plan("empty", transforms=COMPILE)
    made = compiled({LAYER: of_one(), empty: source_tree([member("data.txt", "")])})
    assert made.interpreters == {"layer.zip": platform.python_version()}
    assert made.trees["empty.zip"].entries.keys() == {"data.txt"}


def test_what_is_left_out_is_not_compiled(compiled: Compile, builder: FakeBuilder) -> None:
    compiled({LAYER: of_one("python/", "one/old.py")})
    assert builder.transformed == [["opt/python/one/__init__.py"]]


def test_without_the_option(compiled: Compile, builder: FakeBuilder) -> None:
    plain = function_plan()
    made = compiled({plain: APP})
    assert made == Compiled(trees={"api.zip": APP}, interpreters={}, findings={})
    assert builder.transformed == []


def test_sources_that_do_not_compile(compiled: Compile) -> None:
    made = compiled({API: source_tree([member("app.py", ""), member("pkg/bad.py", "ok = 1\nno no\n")])})
    assert list(made.trees["api.zip"].entries) == ["__pycache__/app.cpython-313.pyc", "app.py", "pkg/bad.py"]
    ((finding,),) = made.findings.values()
    assert (finding.severity, finding.hint) == ("warning", "mend it, or exclude it")
    assert finding.message.startswith("api.zip: pkg/bad.py does not compile with Python 3.")
    assert finding.message.endswith(": line 2: invalid syntax")


def test_each_target_has_its_interpreter(compiled: Compile, builder: FakeBuilder) -> None:
    old = function_plan("old", transforms=COMPILE, target=target("3.12"))
    made = compiled({API: APP, old: APP})
    assert "__pycache__/app.cpython-313.pyc" in made.trees["api.zip"].entries
    assert "__pycache__/app.cpython-312.pyc" in made.trees["old.zip"].entries
    assert builder.transformed == [["var/task/app.py"], ["var/task/app.py"]]


def test_what_was_compiled_is_kept(compiled: Compile, builder: FakeBuilder) -> None:
    events: list[Event] = []
    web = function_plan("web", transforms=COMPILE)
    trees = {LAYER: of_one(), API: APP, web: APP}
    first = compiled(trees, listen=events.append)
    assert [(event.phase, event.text) for event in events] == [
        ("compile", "compiling 3 files for python3.13 x86_64")  # what two functions share, once
    ]
    assert compiled(trees) == first
    assert len(builder.transformed) == 1
    changed = compiled({**trees, API: source_tree([member("app.py", "import one  # ONE\n")])})
    assert builder.transformed[1:] == [["var/task/app.py"]]
    assert changed.trees["layer.zip"] == first.trees["layer.zip"]


def test_an_older_pyc_gives_way(compiled: Compile) -> None:
    path = "__pycache__/app.cpython-313.pyc"
    tree = source_tree([member("app.py", ""), member(path, "stale")])
    assert content(compiled({API: tree}).trees["api.zip"].entries[path].member) != b"stale"
