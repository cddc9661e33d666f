"""model.trials: what is tried of artifacts, and with which layers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.report import Artifact, ExternalLayer, Share
from lambdabuild.model.trials import Stacked, arrange
from tests.samples import artifact

DEMO = Share(name="demo", version="1.0", size=1, files=1, modules=("demo", "other"))
PATHS = {"layer.zip": ("python/demo.py", "python/other.py", "python/ours/__init__.py")}


def function(name: str, *layers: str, kind: str = "function", distributions: tuple[Share, ...] = ()) -> Artifact:
    return artifact(f"{name}.zip", kind=kind, handler="app.handler", layers=layers, distributions=distributions)


def arranged(*artifacts: Artifact, chosen: Sequence[str] | None = None) -> list[tuple[list[str], list[str]]]:
    """The layers of each stack, and what is tried on it."""
    paths = {one.file: PATHS.get(one.file, ()) for one in artifacts}
    stacks = arrange(artifacts, paths, chosen=lambda one: chosen is None or one.name in chosen)
    return [([layer.name for layer in stack.layers], _tried(stack)) for stack in stacks]


def _tried(stack: Stacked) -> list[str]:
    return [
        f"{trial.artifact.name}: {' '.join(filter(None, (trial.handler, *trial.modules)))}" for trial in stack.trials
    ]


def test_a_layer_is_tried_as_its_function_has_it() -> None:
    one, two = artifact("layer.zip", distributions=(DEMO,)), artifact("two.zip", distributions=())
    api, web, plain = function("api", "two", "layer"), function("web", "two"), function("plain")
    assert arranged(one, two, api, web, plain) == [
        (["two", "layer"], ["layer: demo other ours", "two: ", "api: app.handler"]),
        (["two"], ["web: app.handler"]),
        ([], ["plain: app.handler"]),
    ]
    assert arranged(one, two, api, web, plain, chosen=["layer"]) == [
        (["two", "layer"], ["layer: demo other ours"]),
    ]


def test_the_owners_of_modules() -> None:
    layer = artifact("layer.zip", distributions=(DEMO,))
    (stack,) = arrange([layer], PATHS, chosen=lambda one: True)
    assert (stack.runtime, stack.architecture, stack.layers) == ("python3.13", "x86_64", (layer,))
    assert stack.trials[0].owners == {"demo": "demo 1.0", "other": "demo 1.0"}


def test_parts_of_a_layer_are_tried_together() -> None:
    parts = [artifact(f"big-{number}.zip", distributions=(), part_of="big") for number in (1, 2)]
    alone = artifact("alone.zip", distributions=())
    assert arranged(*parts, alone) == [(["big-1", "big-2"], ["big-1: ", "big-2: "]), (["alone"], ["alone: "])]


def test_a_distribution_is_tried_once() -> None:
    layer = artifact("layer.zip", distributions=(DEMO,))
    more = Share(name="more", version="1.0", size=1, files=1, modules=("more",))
    fat = [function(name, kind="fat-function", distributions=(DEMO, more)) for name in ("one", "two")]
    slim = function("api", "layer")
    assert arranged(*fat, slim, layer) == [
        (["layer"], ["layer: demo other ours", "api: app.handler"]),
        ([], ["one: app.handler more", "two: app.handler"]),
    ]


def test_a_function_on_layers_of_others_is_left_out() -> None:
    external = (ExternalLayer(name="shared", arn="arn", unzipped_size=1),)
    api = artifact("api.zip", kind="function", handler="a.b", layers=("shared",), external_layers=external)
    assert arranged(api) == []


def test_a_layer_that_is_not_there() -> None:
    with pytest.raises(UsageError) as caught:
        arranged(function("api", "gone"))
    assert str(caught.value) == (
        "api.zip uses the layer gone, which was not built with it\n  hint: build them together: lambdabuild package api"
    )
