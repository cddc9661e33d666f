"""pipeline.advice: how something of the project comes into a function's archive, each hint followed to the letter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.configfile import read_config
from lambdabuild.model.needs import Locked, LockFile, Required, Script
from lambdabuild.model.plan import FunctionPlan, Plan
from lambdabuild.pipeline.advice import advice_for
from lambdabuild.pipeline.order import Order
from lambdabuild.steps.collect import collect_sources
from tests.samples import function_plan, sources

HANDLER = "def handler(event, context): return 1\n"
Make = Callable[..., tuple[FunctionPlan, Order]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes files of a project; gives a function of it with these sources, and the order that it is of."""

    def write(handler: str, *files: str, table: str = "", needs: Any = None, **more: Any) -> tuple[FunctionPlan, Order]:
        for name in files:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(HANDLER)
        (tmp_path / ".gitignore").write_text("*_pb2.py\n")
        (tmp_path / "pyproject.toml").write_text(
            f'[project]\nname = "p"\nversion = "1"\n[tool.lambdabuild.functions.api]\nhandler = "{handler}"\n{table}'
        )
        function = function_plan(sources=sources(handler=handler, **more), needs=needs or Locked())
        order = Order(
            project=tmp_path,
            config=read_config(tmp_path),
            plan=Plan(layers=(), functions=(function,)),
            output=tmp_path / "dist",
            lock=False,
            clean=False,
            split=False,
            tolerant=False,
            epoch=None,
            today=date(2026, 11, 28),
        )
        return function, order

    return write


def packaged(made: tuple[FunctionPlan, Order], **changes: Any) -> set[str]:
    """What an archive has when the configuration is as a hint says."""
    function, order = made
    told = sources(handler=function.sources.handler, **changes) if "handler" not in changes else sources(**changes)
    return {member.path for member in collect_sources(order.project, told, output=order.output).members}


def test_a_module_beside_the_handler(make: Make) -> None:
    made = make("app.handler", "app.py", "helpers.py", "tools/inner.py")
    table = "[tool.lambdabuild.functions.api] packages what lies beside the handler"
    assert advice_for(*made).module("helpers") == f'helpers.py is not packaged: source = "." in {table}'
    assert advice_for(*made).module("tools") == f'tools is not packaged: source = "." in {table}'
    assert advice_for(*made).file("tools/inner.py") == f'tools/inner.py is not packaged: source = "." in {table}'
    assert {"helpers.py", "tools/inner.py"} <= packaged(made, source=".")
    assert advice_for(*made).module("requests") is None


def test_a_module_below_src(make: Make) -> None:
    made = make("app.handler", "src/app.py", "src/helpers.py")
    assert advice_for(*made).module("helpers") == (
        'src/helpers.py is not packaged: source = "src" in [tool.lambdabuild.functions.api] packages what lies beside '
        "the handler"
    )
    assert "helpers.py" in packaged(made, source="src")


@pytest.mark.parametrize("handler", ["functions/simple.handler", "functions.simple.handler"])
def test_a_module_beside_a_handler_that_is_not_at_the_root(make: Make, handler: str) -> None:
    made = make(handler, "functions/__init__.py", "functions/simple.py", "functions/helpers.py")
    assert advice_for(*made).module("helpers") == (
        'functions/helpers.py is not at the root of the archive: handler = "functions::simple.handler" in '
        "[tool.lambdabuild.functions.api] packages its folder as the root"
    )
    assert {"simple.py", "helpers.py"} <= packaged(made, handler="simple.handler", folder="functions")


def test_a_module_in_a_package_of_what_is_packaged_whole(make: Make) -> None:
    made = make("pk.main.handler", "src/pk/main.py", "src/pk/helpers.py", source="src")
    assert advice_for(*made).module("helpers") == (
        "src/pk/helpers.py is not at the root of the archive: import it as pk.helpers"
    )


def test_a_module_that_a_rule_leaves_out(make: Make) -> None:
    made = make("gen.app.handler", "gen/__init__.py", "gen/app.py", "gen/api_pb2.py")
    assert advice_for(*made).module("gen.api_pb2") == (
        'gen/api_pb2.py is left out by "*_pb2.py" (.gitignore:1): keep = ["gen/api_pb2.py"] in '
        "[tool.lambdabuild.functions.api] takes it"
    )
    assert "gen/api_pb2.py" not in packaged(made)
    assert "gen/api_pb2.py" in packaged(made, keep=("/gen/api_pb2.py",))


def test_a_module_beside_the_handler_that_a_rule_leaves_out(make: Make) -> None:
    made = make("app.handler", "app.py", "api_pb2.py")
    assert advice_for(*made).module("api_pb2") == (
        'api_pb2.py is not packaged: source = "." and keep = ["/api_pb2.py"], since "*_pb2.py" (.gitignore:1) leaves '
        "it out, in [tool.lambdabuild.functions.api] packages what lies beside the handler"
    )
    assert "api_pb2.py" in packaged(made, source=".", keep=("/api_pb2.py",))


def test_a_module_elsewhere_in_the_project(make: Make) -> None:
    made = make("app.handler", "app.py", "libs/shared/__init__.py")
    assert advice_for(*made).module("shared") == (
        'libs/shared/__init__.py is not packaged: [tool.lambdabuild.layers.code] with code = ["libs/shared"], beside '
        "[tool.lambdabuild.layers.layer] for the dependencies, brings it"
    )


def test_a_name_in_another_case(make: Make) -> None:
    made = make("app.handler", "app.py", "Helpers.py", source=".")
    assert advice_for(*made).module("helpers") == (
        'did you mean "Helpers"? Lambda tells upper and lower case in names of modules apart'
    )


@pytest.mark.parametrize(
    ("needs", "table", "expected"),
    [
        (Locked(), "", "the dependencies (uv add), or to a layer"),
        (Locked(only_groups=("web",)), "", "the dependencies (uv add --group web), or to a layer"),
        (Locked(package="worker"), "", "the dependencies (uv add --package worker), or to a layer"),
        (Required(file="api/requirements.txt"), "", "api/requirements.txt"),
        (Required(), "requirements = false", "requirements in [tool.lambdabuild.functions.api]"),
        (Required(), "", "the project's dependencies (uv add)"),
        (Script(file="api.py"), "", "the block of api.py (uv add --script api.py)"),
        (LockFile(file="pylock.toml"), "", "what pylock.toml is made from, and make it again"),
    ],
)
def test_where_a_dependency_is_added(make: Make, needs: Any, table: str, expected: str) -> None:
    assert advice_for(*make("app.handler", "app.py", needs=needs, table=table)).dependencies == expected
