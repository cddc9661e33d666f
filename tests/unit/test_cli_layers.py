"""The command line where layers matter: the one that nobody configured, splits, other people's, and too many."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.index import Index
from tests.shop import Shop, make_shop
from tests.wheels import Wheel, wheel

HANDLER = "def handler(event, context): ...\n"
HEAD = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.10"\n'
API = '[tool.lambdabuild]\npython = "3.13"\n[tool.lambdabuild.functions.api]\nhandler = "api.handler"\n'
NO_LAYER = (
    "error: layer.zip would be empty, and Lambda refuses an empty archive\n"
    "  hint: add dependencies or code, or leave the artifact out\n"
)
LIMIT = 52_428_800


@pytest.fixture
def shop(tmp_path: Path, index: Index) -> Shop:
    """A project without dependencies; one is on the index."""
    index.add(wheel("one"))
    return make_shop(tmp_path, index).write({"pyproject.toml": HEAD + API, "api.py": HANDLER})


def outputs(shop: Shop) -> list[str]:
    return sorted(path.name for path in shop.output.iterdir())


# A project without dependencies


@pytest.mark.parametrize("locked", [True, False])
def test_functions_of_a_project_without_dependencies(shop: Shop, locked: bool) -> None:
    if locked:
        shop.lock()
    done = shop.done("package", "--builder", "host")
    assert done.out.splitlines()[1:-1] == ["  api.zip  143 B  33 B unzipped  0.0 of 262.1 MB"]
    assert outputs(shop) == ["api.zip", "manifest.json"]
    assert shop.members("api.zip") == ["api.py"]
    assert (shop.project / "uv.lock").exists() is locked


def test_the_layer_of_a_project_without_dependencies(shop: Shop) -> None:
    shop.lock()
    ended = shop.run("layer", "--builder", "host")
    assert (ended.code, ended.out, ended.error) == (3, "", NO_LAYER)
    assert not shop.output.exists()


# Other people's layers


def test_an_external_layer(shop: Shop) -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:layer:shared:7"
    layer = f'[tool.lambdabuild.layers.shared]\narn = "{arn}"\nunzipped-size = 131_072_000\n'
    shop.write({"pyproject.toml": HEAD + API + layer}).lock()
    done = shop.done("package", "--builder", "host")
    assert done.out.splitlines()[1] == "  api.zip  143 B  33 B unzipped  131.1 of 262.1 MB with shared"
    assert outputs(shop) == ["api.zip", "manifest.json"]
    assert (
        shop.done("validate").out == f"  {shop.output / 'api.zip'}  143 of 52,428,800 bytes zipped, "
        "131,072,033 of 262,144,000 unzipped with shared\n"
    )
    ended = shop.run("layer")
    assert (ended.code, ended.err) == (
        2,
        "error: there is no layer to build: all that are configured are published already\n",
    )
    ended = shop.run("layer", "shared")
    assert (ended.code, ended.err) == (
        2,
        f'error: the layer "shared" is {arn}, which is published and not built here\n',
    )


# Layers that do not go with their function


def test_more_layers_than_lambda_takes(shop: Shop) -> None:
    names = "abcdef"
    layers = "".join(f'[tool.lambdabuild.layers.{name}]\ncode = ["api.py"]\n' for name in names)
    shop.write({"pyproject.toml": HEAD + API + layers})
    where = f"error: {shop.project}/pyproject.toml: tool.lambdabuild.functions.api.layers"
    ended = shop.run("package")
    assert (ended.code, ended.err) == (
        2,
        f"{where}: unset, which means all 6 layers; a function has at most 5\n",
    )
    shop.write({"pyproject.toml": f"{HEAD}{API}layers = {json.dumps(list(names))}\n{layers}"})
    assert shop.run("package").err == f"{where}: 6 layers; a function has at most 5\n"


@pytest.mark.parametrize("mode", ["--layer", "--fat"])
def test_a_layer_for_another_target(shop: Shop, mode: str) -> None:
    other = '[tool.lambdabuild.layers.arm]\ncode = ["api.py"]\npython = "3.14"\narchitecture = "arm64"\n'
    shop.write({"pyproject.toml": HEAD + API + other})
    ended = shop.run("package", mode)
    assert (ended.code, ended.err) == (
        2,
        'error: the function "api" is for python3.13 x86_64, its layer "arm" for python3.14 arm64\n'
        "  hint: a function and its layers share runtime and architecture: set python and architecture of one of "
        "the two\n",
    )


# Requirements that are not pinned


def versions(shop: Shop) -> dict[str, str]:
    (api,) = json.loads((shop.output / "manifest.json").read_text())["artifacts"]
    return {one["name"]: one["version"] for one in api["distributions"]}


def test_a_resolution_is_used_until_its_inputs_change(shop: Shop, index: Index) -> None:
    def build(*options: str) -> dict[str, str]:
        shop.done("package", "--builder", "host", *options)
        return versions(shop)

    shop.write({"functions/requirements.txt": "one\n", "functions/api.py": HANDLER})
    shop.write({"pyproject.toml": HEAD + API.replace("api.handler", "functions/api.handler")})
    assert build() == {"one": "1.0"}
    for version in ("1.1", "2.0"):
        index.add(wheel("one", version))
    assert build() == {"one": "1.0"}
    assert build("--upgrade") == {"one": "2.0"}
    assert build() == {"one": "2.0"}
    shop.write({"functions/requirements.txt": "-c ../constraints.txt\none\n", "constraints.txt": "one<2\n"})
    assert build() == {"one": "1.1"}


# Layers that are too large for a direct upload


def heavy(name: str, megabytes: int) -> Wheel:
    """A wheel with so much that does not deflate, most of it in a folder that is not called as it is."""
    data = random.Random(name).randbytes(megabytes * 1_000_000 - 1000)
    return wheel(name, files={f"{name}/__init__.py": "", f"{name}.libs/lib{name}.so": data})


SIZES = {"alpha": 30, "beta": 20, "gamma": 3, "delta": 2}
PARTS = {"layer-1": ["alpha", "beta", "delta"], "layer-2": ["gamma"]}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project with 55 MB of dependencies, the first build of which fills the cache."""
    with Index() as index:
        for name, megabytes in SIZES.items():
            index.add(heavy(name, megabytes))
        shop = make_shop(tmp_path_factory.mktemp("large"), index)
        yield shop.write({"pyproject.toml": f"{HEAD}dependencies = {json.dumps(list(SIZES))}\n"}).lock()


def test_a_split_is_proposed(large: Shop) -> None:
    done = large.done("layer", "--split", "--builder", "host", "--python", "3.13")
    assert done.out == (
        "  layer-1.zip  52.0 MB  52.0 MB unzipped  alpha 1.0, beta 1.0, delta 1.0\n"
        "  layer-2.zip   3.0 MB   3.0 MB unzipped  gamma 1.0\n"
        "lambdabuild layer --split --make makes them\n"
    )
    assert done.err.endswith("collecting sources …\n")
    assert not (large.project / "dist").exists()


def test_a_split_is_made(large: Shop) -> None:
    options = ("--builder", "host", "--python", "3.13", "--json")
    proposed = json.loads(large.done("layer", "--split", *options).out)["layers"]
    made = json.loads(large.done("layer", "--split", "--make", *options).out)
    assert made["findings"] == []
    assert outputs(large) == ["layer-1.zip", "layer-2.zip", "manifest.json"]
    assert [(one["name"], one["zipped_size"], one["unzipped_size"]) for one in proposed] == [
        (one["name"], one["zipped_size"], one["unzipped_size"]) for one in made["artifacts"]
    ]
    for one in made["artifacts"]:
        names = PARTS[one["name"]]
        assert one["zipped_size"] == (large.output / one["path"]).stat().st_size <= LIMIT
        assert [share["name"] for share in one["distributions"]] == names
        assert large.members(one["path"]) == sorted(
            path for name in names for path in (f"python/{name}.libs/lib{name}.so", f"python/{name}/__init__.py")
        )


def test_a_direct_upload_asks_for_a_split(large: Shop, tmp_path: Path) -> None:
    shop = Shop(tmp_path, large.environ).write({"pyproject.toml": (large.project / "pyproject.toml").read_text()})
    shutil.copy(large.project / "uv.lock", shop.project)
    options = ("layer", "--builder", "host", "--python", "3.13")
    whole = shop.done(*options)
    size = (shop.output / "layer.zip").stat().st_size
    (made,) = json.loads((shop.output / "manifest.json").read_text())["artifacts"]
    shares, unzipped = {one["name"]: one["size"] for one in made["distributions"]}, made["unzipped_size"]
    message = (
        f"layer.zip: {size:,} bytes zipped, {size - LIMIT:,} over the 52,428,800 of a direct upload; the largest, "
        "unzipped:\n"
        + "".join(f"  {shares[name]:>13,}  {name} 1.0\n" for name in SIZES)
        + "  hint: lambdabuild layer layer --split proposes layers that fit, unless one distribution alone does not\n"
        '        or upload it through S3, which has no such limit, and say so: upload = "s3", or --upload s3\n'
    )
    assert whole.err.endswith(f"writing archives …\nwarning: {message}")
    with (shop.project / "pyproject.toml").open("a") as pyproject:
        pyproject.write('[tool.lambdabuild]\nupload = "direct"\n')
    for words in ((), ("--upload-default", "s3")):
        ended = shop.run(*options, "--clean", *words)
        assert (ended.code, ended.error) == (3, f"error: {message}")
        ended = shop.run("validate", *words)
        assert (ended.code, ended.err) == (3, f"error: {message}")
        assert ended.out == (
            f"  {shop.output}/layer.zip  {size:,} of 52,428,800 bytes zipped, {unzipped:,} of 262,144,000 unzipped\n"
        )
    through_s3 = shop.done(*options, "--upload", "s3")
    assert through_s3.err.endswith("writing archives …\n")
    validated = shop.done("validate", "--upload", "s3")
    assert (validated.err, validated.out) == (
        "",
        f"  {shop.output}/layer.zip  {size:,} bytes zipped, through S3, {unzipped:,} of 262,144,000 unzipped\n",
    )
    assert shop.done(*options, "--skip-validation").err.endswith(f"warning: {message}")
    assert outputs(shop) == ["layer.zip", "manifest.json"]
    shop.done(*options, "--clean", "--split", "--make")
    assert outputs(shop) == ["layer-1.zip", "layer-2.zip", "manifest.json"]


def test_make_goes_with_split(shop: Shop) -> None:
    ended = shop.run("layer", "--make")
    assert (ended.code, ended.err) == (2, "error: --make goes with --split\n")
