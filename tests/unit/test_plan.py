"""model.plan: from configuration and request to what is made, and for which runtime."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.config import FunctionConfig, LayerConfig, ProjectConfig
from lambdabuild.model.plan import FunctionPlan, LayerPlan, Plan, choose_runtime, plan_fat, plan_layers, plan_slim
from lambdabuild.model.requirements import Selection
from tests.samples import RUNTIMES, runtime, target

PLAIN = ProjectConfig(name="shop")
SHOP = ProjectConfig(
    name="shop",
    exclude=("*.md",),
    keep=("a/tests/",),
    layers=MappingProxyType(
        {
            "pandas": LayerConfig(name="pandas", only_groups=("pandas",), exclude=("*.pxd",), keep=("b/",)),
            "common": LayerConfig(name="common", groups=("web",), extras=("fast",), code=("src/common",)),
        }
    ),
    functions=MappingProxyType(
        {
            "api": FunctionConfig(
                name="api", handler="api.handler", source="functions/api", exclude=("c/",), keep=("d/",)
            ),
            "worker": FunctionConfig(name="worker", handler="worker.handler", layers=("common",)),
            "ping": FunctionConfig(name="ping", handler="ping.handler", layers=()),
        }
    ),
)
PANDAS = LayerPlan(
    name="pandas",
    selection=Selection(only_groups=("pandas",)),
    code=(),
    exclude=("*.md", "*.pxd"),
    keep=("a/tests/", "b/"),
)
COMMON = LayerPlan(
    name="common",
    selection=Selection(groups=("web",), extras=("fast",)),
    code=("src/common",),
    exclude=("*.md",),
    keep=("a/tests/",),
)
API = FunctionPlan(
    name="api",
    handler="api.handler",
    source="functions/api",
    attached=(PANDAS, COMMON),
    bundled=(),
    exclude=("*.md", "c/"),
    keep=("a/tests/", "d/"),
)


def names(plan: Plan) -> tuple[list[str], list[str]]:
    return [layer.file for layer in plan.layers], [function.file for function in plan.functions]


def test_the_layer_of_a_project_that_configures_none() -> None:
    layer = LayerPlan(name="layer", selection=Selection(), code=(), exclude=(), keep=())
    assert plan_layers(PLAIN, target(), ()) == Plan(target=target(), layers=(layer,), functions=())


def test_layers() -> None:
    assert plan_layers(SHOP, target(), ()).layers == (PANDAS, COMMON)
    assert plan_layers(SHOP, target(), ("common",)).layers == (COMMON,)
    assert plan_layers(SHOP, target(), ("common", "pandas", "common")).layers == (PANDAS, COMMON)


def test_slim_functions_and_the_layers_they_use() -> None:
    plan = plan_slim(SHOP, target(), ("api",))
    assert plan.functions == (API,)
    assert plan.layers == (PANDAS, COMMON)
    assert names(plan_slim(SHOP, target(), ())) == (["pandas.zip", "common.zip"], ["api.zip", "worker.zip", "ping.zip"])
    assert names(plan_slim(SHOP, target(), ("worker",))) == (["common.zip"], ["worker.zip"])
    assert names(plan_slim(SHOP, target(), ("ping",))) == ([], ["ping.zip"])


def test_fat_functions_bundle_their_layers() -> None:
    plan = plan_fat(SHOP, target(), ("api",))
    assert plan.functions == (replace(API, attached=(), bundled=(PANDAS, COMMON)),)
    assert plan.layers == ()
    assert plan.separate_layers == ()
    assert plan.all_layers == (PANDAS, COMMON)
    assert names(plan_fat(SHOP, target(), ())) == ([], ["api-fat.zip", "worker-fat.zip", "ping.zip"])


def test_each_layer_is_made_once() -> None:
    plan = plan_slim(SHOP, target(), ())
    assert plan.separate_layers == (PANDAS, COMMON)
    assert plan.all_layers == (PANDAS, COMMON)


@pytest.mark.parametrize("plan", [plan_slim, plan_fat])
def test_no_function_is_configured(plan: object) -> None:
    with pytest.raises(UsageError) as caught:
        plan(PLAIN, target(), ())  # type: ignore[operator]
    assert str(caught.value) == (
        "no function is configured\n"
        "  hint: name one on the command line: lambdabuild package --handler package.module.function\n"
        "        or in pyproject.toml: [tool.lambdabuild.functions.NAME] with handler = "
        '"package.module.function"'
    )


def test_names_that_are_not_configured() -> None:
    with pytest.raises(UsageError) as caught:
        plan_layers(SHOP, target(), ("comon", "zzz", "pandas"))
    assert str(caught.value) == (
        'no layer "comon" is configured; did you mean "common"?\n'
        'no layer "zzz" is configured; the layers are pandas, common\n'
        "  hint: see [tool.lambdabuild.layers] in pyproject.toml"
    )
    with pytest.raises(UsageError) as caught:
        plan_slim(SHOP, target(), ("workers",))
    assert str(caught.value) == (
        'no function "workers" is configured; did you mean "worker"?\n'
        "  hint: see [tool.lambdabuild.functions] in pyproject.toml"
    )


def chosen(asked: str | None = None, version_file: str | None = None, requires_python: str | None = None) -> str:
    return choose_runtime(RUNTIMES, asked=asked, version_file=version_file, requires_python=requires_python).python


def test_the_newest_runtime_that_is_allowed() -> None:
    assert chosen() == RUNTIMES[-1].python
    assert chosen(requires_python=">=3.10") == RUNTIMES[-1].python
    assert chosen(requires_python=">=3.11,<3.13") == "3.12"
    assert chosen(requires_python="==3.11.*") == "3.11"
    assert chosen(requires_python="~=3.12.4") == "3.12"
    assert chosen(requires_python=">3.11.4,<3.12") == "3.11"


def test_the_version_file() -> None:
    assert chosen(version_file="3.12") == "3.12"
    assert chosen(version_file="3.12", requires_python=">=3.13") == RUNTIMES[-1].python
    assert chosen(version_file="3.9") == RUNTIMES[-1].python
    assert chosen(version_file="3.12", asked="3.13") == "3.13"


@pytest.mark.parametrize("asked", ["3.12", "python3.12"])
def test_the_runtime_that_was_asked_for(asked: str) -> None:
    assert choose_runtime(RUNTIMES, asked=asked, version_file=None, requires_python=">=3.10") == runtime("3.12")


@pytest.mark.parametrize(
    ("asked", "requires_python", "message"),
    [
        ("3.9", None, "Lambda has no Python 3.9 runtime\n  hint: choose one of 3.10, 3.11, 3.12, 3.13, 3.14"),
        ("3.13.1", None, "Lambda has no Python 3.13.1 runtime\n  hint: choose one of 3.10, 3.11, 3.12, 3.13, 3.14"),
        (
            "3.11",
            ">=3.12",
            'python 3.11 is excluded by requires-python = ">=3.12"\n  hint: choose one of 3.12, 3.13, 3.14',
        ),
        (
            "3.11",
            ">=3.15",
            'python 3.11 is excluded by requires-python = ">=3.15"\n  hint: widen requires-python in pyproject.toml',
        ),
        (
            None,
            "<3.9",
            'requires-python = "<3.9" allows none of Lambda\'s runtimes (3.10, 3.11, 3.12, 3.13, 3.14)\n'
            "  hint: widen requires-python in pyproject.toml",
        ),
    ],
)
def test_no_such_runtime(asked: str | None, requires_python: str | None, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(asked, None, requires_python)
    assert str(caught.value) == message
