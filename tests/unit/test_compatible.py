"""Layers for several runtimes: planned, resolved for each, attached to functions of all, refused where bound to one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.compatible import HINT, check_bound, find_differences
from lambdabuild.model.config import parse_config
from lambdabuild.model.needs import Found
from lambdabuild.model.planning import plan_layers, plan_slim
from lambdabuild.model.runtimes import Targets
from lambdabuild.model.trials import arrange
from tests.index import Index
from tests.samples import RUNTIMES, artifact, pin, target
from tests.shop import Shop, make_shop
from tests.wheels import wheel

TARGETS = Targets(runtimes=RUNTIMES, requires_python=None, default=target("3.13"))
RUNTIME = ("python3.13", "python3.12")


def parsed(layer: dict[str, Any], **functions: dict[str, Any]) -> Any:
    table = {"layers": {"deps": layer}, "functions": functions}
    document = {"project": {"name": "shop"}, "tool": {"lambdabuild": table}}
    return parse_config(document, pythons=[runtime.python for runtime in RUNTIMES])


def test_a_plan() -> None:
    config = parsed({"compatible-runtimes": ["python3.12", "3.13"]}, api={"handler": "a.b", "python": "3.12"})
    (layer,) = plan_layers(config, TARGETS, (), Found()).layers
    assert (layer.target, layer.others) == (target("3.13"), (target("3.12"),))
    (function,) = plan_slim(config, TARGETS, (), Found()).functions
    assert function.attached == (layer,)


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (
            {"compatible-runtimes": ["3.12"]},
            "layers.deps.compatible-runtimes: python3.13 is missing, which the layer is built for\n"
            "  hint: add it, or set layers.deps.python to one of them",
        ),
        (
            {"compatible-runtimes": ["3.12", "3.13"], "python": "3.11"},
            "layers.deps.compatible-runtimes: python3.11 is missing, which the layer is built for\n"
            "  hint: add it, or set layers.deps.python to one of them",
        ),
    ],
)
def test_no_plan(layer: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_layers(parsed(layer), TARGETS, (), Found())
    assert str(caught.value) == problem


def test_a_function_of_another_runtime() -> None:
    config = parsed({"compatible-runtimes": ["3.12", "3.13"]}, api={"handler": "a.b", "python": "3.14"})
    with pytest.raises(UsageError) as caught:
        plan_slim(config, TARGETS, (), Found())
    assert caught.value.message == (
        'the function "api" is for python3.14 x86_64, its layer "deps" for python3.13 x86_64 and python3.12 x86_64'
    )


def test_what_differs() -> None:
    one = pin("one")
    bound = [pin("numpy", url=f"https://x/numpy-1.0-cp{n}-cp{n}-linux_x86_64.whl") for n in (313, 312)]
    assert find_differences([one], [one], runtimes=RUNTIME) == []
    assert find_differences([one, bound[0]], [bound[1], one, pin("tomli", "2.0")], runtimes=RUNTIME) == [
        "numpy: numpy-1.0-cp313-cp313-linux_x86_64.whl for python3.13, "
        "numpy-1.0-cp312-cp312-linux_x86_64.whl for python3.12",
        "tomli 2.0: for python3.12 alone",
    ]
    assert find_differences([pin("tomli", "2.0")], [], runtimes=RUNTIME) == ["tomli 2.0: for python3.13 alone"]


def test_extension_modules_that_were_compiled() -> None:
    paths = ["python/a.py", "python/b.abi3.so", "python/c.libs/libc.so"]
    assert check_bound(paths, name="deps.zip", runtimes=RUNTIME) == []
    bound = [f"python/{name}.cpython-313-x86_64-linux-gnu.so" for name in "abcde"]
    (finding,) = check_bound([*paths, *bound], name="deps.zip", runtimes=RUNTIME)
    assert (finding.severity, finding.hint) == ("error", HINT)
    assert finding.message == (
        "deps.zip is for python3.13 and python3.12, and these are for one Python alone: "
        f"{', '.join(bound[:3])} and 2 more"
    )


def test_functions_are_tried_in_their_own_runtime() -> None:
    layer = artifact("deps.zip", compatible_runtimes=("python3.12", "python3.13"))
    functions = [
        artifact(f"f{python}.zip", kind="function", handler="a.b", runtime=f"python3.{python}", layers=("deps",))
        for python in (12, 13)
    ]
    paths: dict[str, tuple[str, ...]] = {one.file: () for one in (layer, *functions)}
    stacks = arrange([layer, *functions], paths, chosen=lambda _: True)
    assert [(one.runtime, one.layers, [trial.artifact.name for trial in one.trials]) for one in stacks] == [
        ("python3.12", (layer,), ["deps", "f12"]),
        ("python3.13", (layer,), ["f13"]),
    ]


@pytest.fixture
def shop(tmp_path: Path, index: Index) -> Shop:
    index.add(wheel("one"))
    text = (
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["one"]\n'
        '[tool.lambdabuild]\npython = "3.13"\n'
        '[tool.lambdabuild.layers.deps]\ncompatible-runtimes = ["python3.12", "python3.13"]\n'
        '[tool.lambdabuild.functions.api]\nhandler = "api.handler"\npython = "3.12"\n'
    )
    return make_shop(tmp_path, index).write({"pyproject.toml": text, "api.py": "import one\ndef handler(e, c): ...\n"})


def test_a_layer_for_two_runtimes_and_then_a_wheel_for_one(shop: Shop, index: Index) -> None:
    shop.lock().done("package", "--builder", "host", "--no-verify")
    document = json.loads((shop.output / "manifest.json").read_text())
    api, deps = document["artifacts"]
    assert (api["runtime"], api["distributions"], deps["runtime"]) == ("python3.12", [], "python3.13")
    assert deps["compatible_runtimes"] == ["python3.12", "python3.13"]
    assert "compatible_runtimes" not in api
    shop.done("validate")
    for python in ("312", "313"):
        index.add(wheel("two", tag=f"cp{python}-cp{python}-manylinux_2_17_x86_64"))
    text = (shop.project / "pyproject.toml").read_text().replace('["one"]', '["one", "two"]')
    shop.write({"pyproject.toml": text}).lock()
    ended = shop.run("layer", "--builder", "host", "--no-verify")
    assert ended.code == 3
    assert ended.error == (
        'error: the layer "deps" cannot be for python3.13 and python3.12; what differs:\n'
        "  two: two-1.0-cp313-cp313-manylinux_2_17_x86_64.whl for python3.13, "
        "two-1.0-cp312-cp312-manylinux_2_17_x86_64.whl for python3.12\n"
        f"  hint: {HINT}\n"
    )
