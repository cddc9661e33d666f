"""Configurations, handlers and trees of files that nobody would write: each is planned, or refused as usage."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdabuild.configfile import check_project, find_project, read_config, read_runtimes
from lambdabuild.errors import UsageError
from lambdabuild.model.configfunction import FunctionConfig, find_long_handler_problem, split_folder
from lambdabuild.model.handler import find_handler_problem
from lambdabuild.model.planning import plan_fat, plan_layers, plan_slim
from lambdabuild.model.runtimes import Targets
from lambdabuild.steps.collect import find_handler
from lambdabuild.steps.discover import find_needs
from tests.samples import sources, target

ODD = st.text(st.characters(codec="utf-8"), max_size=8)
PARTS = (
    st.sampled_from(["app", "my-app", "01_x", "functions", "a.b", "..", ".", "", " ", "\\", ":", "::", "*", "é"]) | ODD
)
HANDLERS = st.lists(PARTS, min_size=1, max_size=5).flatmap(
    lambda parts: st.lists(st.sampled_from([".", "/", ":", "::", ""]), min_size=len(parts), max_size=len(parts)).map(
        lambda between: "".join(map("".join, zip(parts, between, strict=True))) + "handler"
    )
)


@given(HANDLERS)
@settings(deadline=None, max_examples=300)
def test_any_handler_is_taken_or_refused(handler: str) -> None:
    problem = find_long_handler_problem(handler)
    if problem is not None:
        assert "\n" not in problem
        return
    folder, rest = split_folder(handler)
    module, _, attribute = rest.rpartition(".")
    assert attribute.isidentifier()
    assert not any(not part or part.isspace() for part in module.replace("/", ".").split("."))
    assert folder is None or ".." not in folder.split("/")


@given(
    st.binary(max_size=40) | st.sampled_from([b"def handler(", b"\xff", b"# coding: x\n", b"x = '\\d'", b"match = 1"])
)
@settings(deadline=None)
def test_any_source_is_read_or_refused(source: bytes) -> None:
    problem = find_handler_problem(source, "handler")
    assert problem is None or "\n" not in problem


NAMES = st.sampled_from(
    [
        "app.py",
        "requirements.txt",
        "pyproject.toml",
        "uv.lock",
        "lambdabuild.toml",
        "__init__.py",
        "x.py",
        "Pipfile.lock",
    ]
)
FOLDERS = st.sampled_from(
    ["", "src/", "functions/a/", "functions/my fn/", "functions/b/app/", "x/a/", "f/1/", "functions/\udcff/"]
)
TEXTS = st.sampled_from(
    [
        "",
        "def handler(event, context): ...\n",
        "[project]\nname = 'x'\n",
        "[project]\ndependencies = ['six']\n",
        "\ufeff[project]\nname = 'b'\n",
        "[tool.lambdabuild]\n",
        "tool = 1\nproject = []\n",
        "= \n",
        "six\n",
        "# /// script\n",
    ]
)
VALUES = st.sampled_from(
    [
        *('"functions/*"', '"*/a"', '"f/*"', '"**"', '"[a"', '"functions/[!a]*"', '"."', '"functions/a"'),
        *('"app.handler"', '"a::app.handler"', '"x"', '"runtime"', '"site-packages"', '"reachable"'),
        *("1", "true", "false", "[]", '["a"]', "{}"),
    ]
)
KEYS = st.sampled_from(
    ["from", "handler", "folder", "source", "sources", "requirements", "boto3", "layout", "keep", "include", "layers"]
)
TABLES = st.sampled_from(["", 'functions."*"', "functions.a", "functions.report", "layers.deps", 'functions."a b"'])


def toml(tables: dict[str, dict[str, str]], *, prefix: str) -> str:
    lines = []
    for name in sorted(tables):
        header = ".".join(filter(None, (prefix, name)))
        lines += [f"[{header}]"] * bool(header) + [f"{key} = {value}" for key, value in tables[name].items()]
    return "\n".join(lines) + "\n"


CONFIGS = st.dictionaries(TABLES, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4)


@given(
    files=st.dictionaries(st.tuples(FOLDERS, NAMES).map("".join), TEXTS, max_size=8),
    config=CONFIGS,
    own=st.booleans(),
    start=st.sampled_from(["", "functions", "functions/a"]),
    handler=HANDLERS | st.just("app.handler") | st.just("functions/a::app.handler"),
)
@settings(deadline=None, max_examples=200)
def test_any_project_is_planned_or_refused(
    files: dict[str, str], config: dict[str, dict[str, str]], own: bool, start: str, handler: str
) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (folder / start).mkdir(parents=True, exist_ok=True)
        name, prefix = ("lambdabuild.toml", "") if own else ("pyproject.toml", "tool.lambdabuild")
        (folder / name).write_text(toml(config, prefix=prefix))
        for _ in each_plan(folder, start, handler):
            pass
    except UsageError as error:
        assert error.exit_code == 2
    finally:
        shutil.rmtree(folder)


def each_plan(folder: Path, start: str, handler: str) -> Iterator[object]:
    """What every command would make of it."""
    project = find_project(folder / start)
    assert check_project(project) == project
    config = read_config(project)
    targets = Targets(runtimes=read_runtimes(), requires_python=None, default=target())
    short, rest = split_folder(handler)
    asked = FunctionConfig(name="asked", handler=rest, folder=short)
    functions = [*config.functions.values()]
    if find_long_handler_problem(handler) is None:
        functions.append(asked)
    found = find_needs(project, functions)
    for one in functions:
        try:
            find_handler(project, sources(handler=one.handler, folder=one.folder, source=one.source), target())
        except UsageError as error:
            assert error.exit_code == 2
    for plan in (plan_layers, plan_slim, plan_fat):
        try:
            yield plan(config, targets, (), found)
        except UsageError as error:
            assert error.exit_code == 2
