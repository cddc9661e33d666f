"""Which of the artifacts that were built are meant, which a function runs from, and whether they still are that."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.model.built import choose_artifacts, choose_function, layers_of, rebuild_command
from lambdabuild.model.documents import manifest_document
from lambdabuild.model.report import Artifact, ExternalLayer
from lambdabuild.steps.built import Built, check_built, find_built
from tests.samples import artifact, target

LAYER = artifact("layer.zip")
SLIM = artifact("api.zip", kind="function", handler="app.handler", layers=("layer",))
FAT = artifact("api-fat.zip", name="api", kind="fat-function", handler="app.handler")


def test_the_slim_one_comes_first() -> None:
    assert choose_function([LAYER, FAT, SLIM], "api", fat=False, output="dist", configured=()) == SLIM
    assert choose_function([LAYER, FAT, SLIM], "api", fat=True, output="dist", configured=()) == FAT
    assert choose_function([FAT], "api", fat=False, output="dist", configured=()) == FAT


@pytest.mark.parametrize(
    ("name", "fat", "message"),
    [
        ("other", False, 'no function "other" was built in dist\n  hint: functions: api, web'),
        ("web", False, 'no function "web" was built in dist\n  hint: build it: lambdabuild package web'),
        ("ap", False, 'no function "ap" was built in dist\n  hint: did you mean "api"?'),
        ("api", True, "api is built without --fat in dist\n  hint: build it: lambdabuild package api --fat"),
        ("layer", False, '"layer" is a layer, and no function\n  hint: functions: api'),
    ],
)
def test_what_was_not_built(name: str, fat: bool, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_function([LAYER, SLIM], name, fat=fat, output="dist", configured=("api", "web"))
    assert str(caught.value) == message


def test_layers_in_their_order_and_whole() -> None:
    two = [artifact(f"data-{number}.zip", part_of="data") for number in (1, 2)]
    other = artifact("layer.zip", architecture="arm64")
    function = artifact("api.zip", kind="function", layers=("layer", "data"))
    assert layers_of(function, [*two, other, LAYER, function], ()) == (LAYER, *two)


def test_a_layer_of_others() -> None:
    arn = "arn:aws:lambda:eu-west-1:1:layer:insights:3"
    external = ExternalLayer(name="insights", arn=arn, unzipped_size=1)
    function = artifact("api.zip", kind="function", layers=("insights",), external_layers=(external,))
    with pytest.raises(UsageError) as caught:
        layers_of(function, [function], ("api",))
    assert str(caught.value) == (
        f"api.zip uses the layer insights ({arn}), which is Lambda's to attach and not at hand\n"
        "  hint: try the function with everything in one zip: lambdabuild package api --fat"
    )


def test_a_layer_that_is_not_there() -> None:
    with pytest.raises(UsageError) as caught:
        layers_of(SLIM, [SLIM], ("api",))
    assert str(caught.value) == (
        "api.zip uses the layer layer, which was not built with it\n"
        "  hint: build them together: lambdabuild package api"
    )


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output folder in which the files are what its manifest tells of."""
    sha256 = hashlib.sha256(b"zip").hexdigest()
    artifacts = [
        artifact(one.file, **{"kind": one.kind, "layers": one.layers, "sha256": sha256}) for one in (LAYER, SLIM)
    ]
    for one in artifacts:
        (tmp_path / one.file).write_bytes(b"zip")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest_document(artifacts, version="1")))
    return tmp_path


def test_a_function_is_found_with_its_layers(output: Path) -> None:
    built = find_built(output, "api", fat=False, configured=("api",))
    assert isinstance(built, Built)
    assert built.path(built.function) == output / "api.zip"
    assert [layer.file for layer in built.layers] == ["layer.zip"]
    assert built.target == target("3.13", "x86_64")


def test_nothing_was_built(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_built(tmp_path, "api", fat=False, configured=("api",))
    assert str(caught.value) == (
        f'no function "api" was built in {tmp_path}\n  hint: build it: lambdabuild package api'
    )


def test_another_file_than_was_built(output: Path) -> None:
    (output / "layer.zip").write_bytes(b"other")
    with pytest.raises(PolicyError) as caught:
        find_built(output, "api", fat=False, configured=("api",))
    assert str(caught.value) == (
        f"{output / 'layer.zip'} is not what was built: its sha256 is {hashlib.sha256(b'other').hexdigest()}, "
        f"and the manifest says {hashlib.sha256(b'zip').hexdigest()}\n"
        "  hint: build it again: lambdabuild layer layer"
    )


def test_a_file_that_is_gone(output: Path) -> None:
    (output / "api.zip").unlink()
    with pytest.raises(PolicyError) as caught:
        find_built(output, "api", fat=False, configured=("api",))
    assert str(caught.value) == (
        f"{output / 'api.zip'} is gone, and the manifest tells of it\n  hint: build it again: lambdabuild package api"
    )


def test_a_folder_in_an_archives_place(output: Path) -> None:
    (output / "api.zip").unlink()
    (output / "api.zip").mkdir()
    with pytest.raises(UsageError) as caught:
        check_built([SLIM], output, ("api",))
    assert str(caught.value) == (
        f"{output / 'api.zip'} cannot be read: it is a folder\n  hint: build it again: lambdabuild package api"
    )


def test_what_builds_an_artifact_again() -> None:
    part = artifact("data-1.zip", part_of="data")
    assert [rebuild_command(one, ("api",)) for one in (LAYER, part, SLIM, FAT)] == [
        "lambdabuild layer layer",
        "lambdabuild layer data --split --make",
        "lambdabuild package api",
        "lambdabuild package api --fat",
    ]


def test_what_builds_a_function_that_no_table_describes() -> None:
    assert [rebuild_command(one, ()) for one in (LAYER, SLIM, FAT)] == [
        "lambdabuild layer layer",
        "lambdabuild package api --handler app.handler",
        "lambdabuild package api --handler app.handler --fat",
    ]
    for name, fat, hint in (
        ("api", True, "build it: lambdabuild package api --handler app.handler --fat"),
        ("main", False, "functions: api"),
    ):
        with pytest.raises(UsageError) as caught:
            choose_function([SLIM], name, fat=fat, output="dist", configured=())
        assert caught.value.hint == hint
    with pytest.raises(UsageError) as caught:
        choose_function([], "main", fat=False, output="dist", configured=())
    assert caught.value.hint == "build it: lambdabuild package main --handler MODULE.FUNCTION"
    with pytest.raises(UsageError) as caught:
        choose_artifacts([], (), output="dist", configured=())
    assert caught.value.hint == "build first: lambdabuild package --handler MODULE.FUNCTION"


PARTS = (artifact("data-1.zip", part_of="data"), artifact("data-2.zip", part_of="data"))


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ((), (LAYER, *PARTS, SLIM, FAT)),
        (("api",), (SLIM, FAT)),
        (("data",), PARTS),
        (("data-2", "layer"), (LAYER, PARTS[1])),
    ],
)
def test_artifacts_by_name(names: tuple[str, ...], chosen: tuple[Artifact, ...]) -> None:
    assert choose_artifacts([LAYER, *PARTS, SLIM, FAT], names, output="dist", configured=("api",)) == chosen


@pytest.mark.parametrize(
    ("artifacts", "names", "message"),
    [
        ([], ("api",), "nothing was built in dist\n  hint: build first: lambdabuild package"),
        ([SLIM], ("ap",), 'no layer or function "ap" was built in dist\n  hint: did you mean "api"?'),
        (
            [LAYER, SLIM],
            ("ap", "other", "third", "api"),
            'no layer or function "ap" was built in dist\n'
            'no layer or function "other" was built in dist\n'
            'no layer or function "third" was built in dist\n'
            '  hint: did you mean "api"?\n'
            "        there are: layer, api",
        ),
    ],
)
def test_names_of_nothing(artifacts: list[Artifact], names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_artifacts(artifacts, names, output="dist", configured=("api",))
    assert str(caught.value) == message
