"""model.plan: from configuration and request to what is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.config import ExternalLayer, FunctionConfig, LayerConfig, ProjectConfig
from lambdabuild.model.needs import NOTHING, Found, Locked, LockFile, Needs, Required, Script
from lambdabuild.model.plan import ExternalPlan, Plan
from lambdabuild.model.planning import plan_fat, plan_layers, plan_slim
from lambdabuild.model.runtimes import Targets
from lambdabuild.model.treatment import Transforms
from tests.samples import RUNTIMES, function_plan, layer_plan, sources, target

ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:shared:7"
TARGETS = Targets(runtimes=RUNTIMES, requires_python=">=3.11", default=target())
PLAIN = ProjectConfig(name="shop")


def configured(*, layers: tuple[LayerConfig, ...] = (), functions: tuple[FunctionConfig, ...] = ()) -> ProjectConfig:
    return ProjectConfig(
        name="shop",
        exclude=("*.md",),
        keep=("a/tests/",),
        layers=MappingProxyType({layer.name: layer for layer in layers}),
        functions=MappingProxyType({function.name: function for function in functions}),
    )


SHOP = configured(
    layers=(
        LayerConfig(name="pandas", only_groups=("pandas",), exclude=("*.pxd",), keep=("b/",)),
        LayerConfig(name="common", groups=("web",), extras=("fast",), code=("src/common",)),
    ),
    functions=(
        FunctionConfig(name="api", handler="api.handler", source="functions/api", exclude=("c/",), keep=("d/",)),
        FunctionConfig(name="worker", handler="worker.handler", layers=("common",)),
        FunctionConfig(name="ping", handler="ping.handler", layers=()),
    ),
)
OF_API = sources(handler="api.handler", source="functions/api", exclude=("*.md", "c/"), keep=("a/tests/", "d/"))
OF_WORKER = sources(owner="functions.worker", handler="worker.handler", exclude=("*.md",), keep=("a/tests/",))
PANDAS = layer_plan(
    "pandas",
    needs=Locked(only_groups=("pandas",)),
    exclude=("*.md", "*.pxd"),
    keep=("a/tests/", "b/"),
    users=(OF_API,),
)
COMMON = layer_plan(
    "common",
    needs=Locked(groups=("web",), extras=("fast",)),
    code=("src/common",),
    exclude=("*.md",),
    keep=("a/tests/",),
    users=(OF_API, OF_WORKER),
)
API = function_plan(
    sources=OF_API,
    attached=(PANDAS, COMMON),
    exclude=("*.md", "c/"),
    keep=("a/tests/", "d/"),
)


def slim(config: ProjectConfig, *names: str, **found: Needs) -> Plan:
    return plan_slim(config, TARGETS, names, Found(functions=found))


def fat(config: ProjectConfig, *names: str, **found: Needs) -> Plan:
    return plan_fat(config, TARGETS, names, Found(functions=found))


def files(plan: Plan) -> tuple[list[str], list[str]]:
    return [layer.file for layer in plan.layers], [function.file for function in plan.functions]


# Layers


def test_the_layer_of_a_project_that_configures_none() -> None:
    assert plan_layers(PLAIN, TARGETS, (), Found()) == Plan(layers=(layer_plan(),), functions=())


def test_layers() -> None:
    assert plan_layers(SHOP, TARGETS, (), Found()).layers == (PANDAS, COMMON)
    assert plan_layers(SHOP, TARGETS, ("common",), Found()).layers == (COMMON,)
    assert plan_layers(SHOP, TARGETS, ("common", "pandas", "common"), Found()).layers == (PANDAS, COMMON)


@pytest.mark.parametrize(
    ("config", "needs"),
    [
        (LayerConfig(name="a"), Locked()),
        (LayerConfig(name="a", code=("common",)), NOTHING),
        (LayerConfig(name="a", code=("common",), extras=("x",)), Locked(extras=("x",))),
        (LayerConfig(name="a", package="member"), Locked(package="member")),
        (LayerConfig(name="a", requirements="requirements.txt"), Required(file="requirements.txt")),
        (LayerConfig(name="a", requirements=("one", "two")), Required(lines=("one", "two"))),
        (LayerConfig(name="a", requirements=()), NOTHING),
        (LayerConfig(name="a", pylock="pylock.toml"), LockFile(file="pylock.toml")),
    ],
)
def test_where_the_dependencies_of_a_layer_come_from(config: LayerConfig, needs: Needs) -> None:
    (layer,) = plan_layers(configured(layers=(config,)), TARGETS, (), Found()).layers
    assert layer.needs == needs


def test_what_else_a_layer_says() -> None:
    config = LayerConfig(name="a", layout="site-packages", python="3.12", architecture="arm64", boto3="runtime")
    (layer,) = plan_layers(configured(layers=(config,)), TARGETS, (), Found()).layers
    assert layer.target == target("3.12", "arm64")
    assert layer.root == "python/lib/python3.12/site-packages/"
    assert layer.sdk == "runtime"


@pytest.mark.parametrize(
    ("layers", "function", "uses"),
    [
        ((), FunctionConfig(name="api", handler="a.b"), True),
        ((), FunctionConfig(name="api", handler="a.b", groups=("web",)), True),
        ((), FunctionConfig(name="api", handler="a.b", requirements=()), False),
        ((LayerConfig(name="layer"),), FunctionConfig(name="api", handler="a.b", requirements=()), True),
        ((LayerConfig(name="layer"),), FunctionConfig(name="api", handler="a.b", layers=("layer",)), True),
        ((LayerConfig(name="layer"),), FunctionConfig(name="api", handler="a.b", layers=()), False),
    ],
)
def test_functions_whose_code_a_layer_serves(
    layers: tuple[LayerConfig, ...], function: FunctionConfig, uses: bool
) -> None:
    config = configured(layers=layers, functions=(function,))
    (layer,) = plan_layers(config, TARGETS, (), Found()).layers
    assert [user.owner for user in layer.users] == (["functions.api"] if uses else [])


def test_external_layers_are_not_built() -> None:
    external = LayerConfig(name="shared", external=ExternalLayer(arn=ARN, unzipped_size=5))
    config = configured(layers=(external, LayerConfig(name="mine")))
    assert [layer.name for layer in plan_layers(config, TARGETS, (), Found()).layers] == ["mine"]
    with pytest.raises(UsageError) as caught:
        plan_layers(config, TARGETS, ("shared",), Found())
    assert str(caught.value) == f'the layer "shared" is {ARN}, which is published and not built here'
    with pytest.raises(UsageError) as caught:
        plan_layers(configured(layers=(external,)), TARGETS, (), Found())
    assert str(caught.value) == "there is no layer to build: all that are configured are published already"


# Functions


def test_slim_functions_and_the_layers_they_use() -> None:
    assert slim(SHOP, "api") == Plan(layers=(PANDAS, COMMON), functions=(API,))
    assert files(slim(SHOP)) == (["pandas.zip", "common.zip"], ["api.zip", "worker.zip", "ping.zip"])
    assert files(slim(SHOP, "worker")) == (["common.zip"], ["worker.zip"])
    assert files(slim(SHOP, "ping")) == ([], ["ping.zip"])


def test_fat_functions_bundle_their_layers() -> None:
    plan = fat(SHOP, "api")
    assert plan.functions == (
        replace(API, kind="fat-function", attached=(), bundled=(PANDAS, COMMON), sdk="unrequired"),
    )
    assert plan.layers == ()
    assert plan.all_layers == (PANDAS, COMMON)
    assert files(fat(SHOP)) == ([], ["api-fat.zip", "worker-fat.zip", "ping-fat.zip"])


@pytest.mark.parametrize(
    ("config", "found", "needs"),
    [
        (FunctionConfig(name="api", handler="a.b"), None, Locked()),
        (FunctionConfig(name="api", handler="a.b"), Script(file="a.py"), Script(file="a.py")),
        (FunctionConfig(name="api", handler="a.b", groups=("web",)), Script(file="a.py"), Locked(groups=("web",))),
        (FunctionConfig(name="api", handler="a.b", requirements=()), Script(file="a.py"), NOTHING),
        (FunctionConfig(name="api", handler="a.b", requirements=("one",)), None, Required(lines=("one",))),
        (FunctionConfig(name="api", handler="a.b", pylock="pylock.toml"), None, LockFile(file="pylock.toml")),
    ],
)
def test_where_the_dependencies_of_a_function_come_from(
    config: FunctionConfig, found: Needs | None, needs: Needs
) -> None:
    (function,) = slim(configured(functions=(config,)), **({"api": found} if found else {})).functions
    assert function.needs == needs


def test_the_default_layer_is_for_functions_of_the_projects_lock() -> None:
    config = configured(functions=(FunctionConfig(name="api", handler="a.b"),))
    assert files(slim(config)) == (["layer.zip"], ["api.zip"])
    assert files(slim(config, api=Script(file="a.py"))) == ([], ["api.zip"])
    assert [layer.may_be_empty for layer in slim(config).layers] == [True]


@pytest.mark.parametrize(
    ("boto3", "in_slim", "in_fat"),
    [(None, "bundle", "unrequired"), ("bundle", "bundle", "bundle"), ("runtime", "runtime", "runtime")],
)
def test_who_brings_boto3(boto3: str | None, in_slim: str, in_fat: str) -> None:
    config = configured(functions=(FunctionConfig(name="api", handler="a.b", boto3=boto3),))  # type: ignore[arg-type]
    assert slim(config).functions[0].sdk == in_slim
    assert fat(config).functions[0].sdk == in_fat


def test_external_layers_are_attached_and_never_bundled() -> None:
    external = ExternalLayer(arn=ARN, unzipped_size=5, distributions={"numpy": "2.3"})
    config = configured(
        layers=(LayerConfig(name="shared", external=external), LayerConfig(name="mine")),
        functions=(FunctionConfig(name="api", handler="a.b"),),
    )
    (function,) = slim(config).functions
    assert [layer.name for layer in function.attached] == ["shared", "mine"]
    assert isinstance(function.attached[0], ExternalPlan)
    assert (function.attached[0].arn, function.attached[0].unzipped_size) == (ARN, 5)
    assert function.attached[0].distributions == {"numpy": "2.3"}
    assert files(slim(config)) == (["mine.zip"], ["api.zip"])
    assert [layer.name for layer in fat(config).functions[0].bundled] == ["mine"]


def test_what_a_function_says_of_its_sources() -> None:
    config = FunctionConfig(
        name="api", handler="main.handler", folder="web", sources="reachable", include=("*.py",), gitignore=False
    )
    (function,) = slim(configured(functions=(config,))).functions
    assert function.sources == sources(
        handler="main.handler",
        folder="web",
        reachable=True,
        include=("*.py",),
        exclude=("*.md",),
        keep=("a/tests/",),
        gitignore=False,
    )


# Targets


def test_each_function_may_have_its_own_target() -> None:
    config = configured(
        functions=(
            FunctionConfig(name="old", handler="a.b", python="3.12", layers=()),
            FunctionConfig(name="arm", handler="a.b", architecture="arm64", layers=()),
            FunctionConfig(name="plain", handler="a.b", layers=()),
        )
    )
    plan = slim(config)
    assert [function.target for function in plan.functions] == [target("3.12"), target("3.13", "arm64"), target()]
    assert plan.targets == (target("3.12"), target("3.13", "arm64"), target())


@pytest.mark.parametrize("plan", [slim, fat])
def test_a_function_and_its_layers_share_a_target(plan: Callable[..., Plan]) -> None:
    config = configured(
        layers=(LayerConfig(name="pandas", architecture="arm64"),),
        functions=(FunctionConfig(name="api", handler="a.b"),),
    )
    with pytest.raises(UsageError) as caught:
        plan(config)
    assert str(caught.value) == (
        'the function "api" is for python3.13 x86_64, its layer "pandas" for python3.13 arm64\n'
        "  hint: a function and its layers share runtime and architecture: set python and architecture of one of "
        "the two"
    )


def test_a_runtime_that_the_project_excludes() -> None:
    config = configured(functions=(FunctionConfig(name="api", handler="a.b", python="3.10", layers=()),))
    with pytest.raises(UsageError) as caught:
        slim(config)
    assert str(caught.value) == (
        'functions.api.python = "3.10": python 3.10 is excluded by requires-python = ">=3.11"\n'
        "  hint: choose one of 3.11, 3.12, 3.13, 3.14, 3.15"
    )


# Plans


def test_each_layer_is_made_once() -> None:
    assert slim(SHOP).all_layers == (PANDAS, COMMON)
    assert slim(SHOP).layers == (PANDAS, COMMON)


def test_a_plan_without_some_layers() -> None:
    plan = slim(SHOP, "api").without({"pandas"})
    assert plan == Plan(layers=(COMMON,), functions=(replace(API, attached=(COMMON,)),))
    (function,) = fat(SHOP, "api").without({"pandas"}).functions
    assert function.bundled == (COMMON,)
    assert slim(SHOP).without(()) == slim(SHOP)


# Mistakes


@pytest.mark.parametrize("plan", [slim, fat])
def test_no_function_is_configured(plan: Callable[..., Plan]) -> None:
    with pytest.raises(UsageError) as caught:
        plan(PLAIN)
    assert str(caught.value) == (
        "no function is configured\n"
        "  hint: name one on the command line: lambdabuild package --handler package.module.function\n"
        "        or write [tool.lambdabuild.functions.NAME] in pyproject.toml with handler = "
        '"package.module.function"'
    )


def test_hints_name_the_file_that_holds_the_configuration() -> None:
    own = replace(PLAIN, own_file=True)
    with pytest.raises(UsageError, match=r"or write \[functions\.NAME\] in lambdabuild\.toml with handler"):
        slim(own)
    with pytest.raises(UsageError, match=r"see \[layers\] in lambdabuild\.toml"):
        plan_layers(own, TARGETS, ("zzz",), Found())


# What the project's files tell

REQUIREMENTS = Required(file="requirements.txt")


def test_what_a_project_without_a_lock_has_for_its_layers() -> None:
    found = Found(project=REQUIREMENTS)
    assert plan_layers(PLAIN, TARGETS, (), found).layers[0].needs == REQUIREMENTS
    deps = configured(layers=(LayerConfig(name="deps"), LayerConfig(name="code", code=("a",))))
    assert [layer.needs for layer in plan_layers(deps, TARGETS, (), found).layers] == [REQUIREMENTS, NOTHING]


def test_what_nothing_tells_of() -> None:
    nothing = Found(functions={"api": NOTHING}, project=None)
    api = configured(functions=(FunctionConfig(name="api", handler="app.handler"),))
    assert plan_slim(api, TARGETS, (), nothing).layers == ()
    with pytest.raises(UsageError) as caught:
        plan_layers(PLAIN, TARGETS, (), nothing)
    assert str(caught.value) == (
        "nothing tells what the layer needs: there is no [project] in pyproject.toml and no requirements.txt\n"
        '  hint: write requirements.txt, or requirements = ["NAME", …] below '
        "[tool.lambdabuild.layers.NAME] in pyproject.toml"
    )
    deps = configured(layers=(LayerConfig(name="deps"),), functions=tuple(api.functions.values()))
    for plan in (lambda: plan_layers(deps, TARGETS, (), nothing), lambda: plan_fat(deps, TARGETS, (), nothing)):
        with pytest.raises(UsageError, match=r"^nothing tells what layers\.deps needs: "):
            plan()


def test_the_default_layer_is_not_for_a_function_of_another_project() -> None:
    api = configured(functions=(FunctionConfig(name="api", handler="app.handler"),))
    own = Found(functions={"api": Locked(folder="functions/api")})
    assert plan_slim(api, TARGETS, (), own).functions[0].attached == ()
    assert plan_slim(api, TARGETS, (), Found()).functions[0].attached != ()


def test_a_file_that_is_not_used_is_told_of_where_the_configuration_does_not_say() -> None:
    found = Found(unused={"api": "requirements.txt is not used"})
    api = FunctionConfig(name="api", handler="app.handler")
    assert plan_slim(configured(functions=(api,)), TARGETS, (), found).functions[0].unused is not None
    told = configured(functions=(replace(api, groups=("data",)),))
    assert plan_slim(told, TARGETS, (), found).functions[0].unused is None


def test_names_that_are_not_configured() -> None:
    with pytest.raises(UsageError) as caught:
        plan_layers(SHOP, TARGETS, ("comon", "zzz", "pandas"), Found())
    assert str(caught.value) == (
        'no layer "comon" is configured; did you mean "common"?\n'
        'no layer "zzz" is configured; the layers are pandas, common\n'
        "  hint: see [tool.lambdabuild.layers] in pyproject.toml"
    )
    with pytest.raises(UsageError) as caught:
        slim(SHOP, "workers")
    assert str(caught.value) == (
        'no function "workers" is configured; did you mean "worker"?\n'
        "  hint: see [tool.lambdabuild.functions] in pyproject.toml"
    )


@pytest.mark.parametrize(
    ("changes", "problem", "hint"),
    [
        ({"layout": "site-packages"}, 'layout = "site-packages"', 'layers.both.layout = "python"'),
        (
            {"transforms": Transforms(bytecode="compile")},
            'bytecode = "compile"',
            'leave out bytecode = "compile", or make a layer for each runtime',
        ),
    ],
)
def test_what_one_runtime_alone_reads_is_in_no_layer_for_several(
    changes: dict[str, Any], problem: str, hint: str
) -> None:
    both = LayerConfig(name="both", requirements=("idna",), compatible_runtimes=("3.12", "3.13"))
    with pytest.raises(UsageError) as caught:
        plan_layers(replace(configured(layers=(both,)), **changes), TARGETS, (), Found())
    assert str(caught.value) == (
        f"layers.both.compatible-runtimes: cannot stand beside {problem}, which one runtime alone reads\n  hint: {hint}"
    )
