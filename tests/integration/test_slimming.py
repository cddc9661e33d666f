"""Slimming, in the runtime image: what is kept serves there, and what is stripped is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from integration.lambda_image import LambdaImage

from tests.wheels import wheel

TELLS = wheel(
    "tells",
    files={
        "tells/__init__.py": "from importlib import metadata\n\ndef of(name):\n    return metadata.version(name)\n",
        "tells/tests/test_tells.py": "import tells\n",
    },
)
SHAPES = wheel(
    "shapes",
    "2.5",
    files={
        "shapes/__init__.py": "from shapes.core.tests._types import Shape\n",
        "shapes/core/__init__.py": "",
        "shapes/core/tests/__init__.py": "",
        "shapes/core/tests/_types.py": "from ._names import NAME\n\nclass Shape:\n    name = NAME\n",
        "shapes/core/tests/_names.py": "NAME = 'square'\n",
        "shapes/core/tests/test_types.py": "import pytest\n",
        "shapes/sizes.py": "from pathlib import Path\n\n"
        "SIZES = (Path(__file__).parent / 'tests' / 'sizes.txt').read_text()\n",
        "shapes/tests/sizes.txt": "7",
        "shapes/tests/other.txt": "8",
    },
)
PLUGIN = wheel(
    "plugin",
    files={
        "plugin.py": "NAME = 'plugged'\n",
        "plugin-1.0.dist-info/entry_points.txt": "[shop.plugins]\na = plugin:NAME\n",
        "plugin-1.0.dist-info/licenses/LICENSE": "free\n",
    },
)
HANDLER = """\
from importlib.metadata import entry_points

def handler(event, context):
    import shapes
    import tells

    found = [point.load() for point in entry_points(group="shop.plugins")]
    return [tells.of(event["name"]), shapes.Shape.name, found]
"""
LOOKS_UP = """\
from importlib import metadata

def handler(event, context):
    import shapes.sizes

    names = ("tells", "shapes", "plugin")
    modules = metadata.packages_distributions()
    return {
        "versions": [metadata.version(name) for name in names],
        "modules": {name: modules.get(name) for name in names},
        "plugins": [point.load() for point in metadata.entry_points(group="shop.plugins")],
        "files": sorted(map(str, metadata.files("plugin") or ())),
        "sizes": shapes.sizes.SIZES,
    }
"""


@pytest.fixture
def image(docker_client: docker.DockerClient, image_for: Callable[[str], str]) -> LambdaImage:
    return LambdaImage(docker_client, image_for("3.13"))


@pytest.fixture
def build(tmp_path: Path, lambdabuild: Callable) -> Callable[[str], dict[str, Any]]:
    """Builds a project of three hand-made wheels with these lines in its table."""
    wheels = (TELLS, SHAPES, PLUGIN)
    sources = "".join(f'{one.name} = {{ path = "{one.filename}" }}\n' for one in wheels)

    def run(table: str, handler: str = HANDLER, python: str = "3.13") -> dict[str, Any]:
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
            f'dependencies = ["tells", "shapes", "plugin"]\n[tool.uv.sources]\n{sources}'
            f'[tool.lambdabuild]\npython = "{python}"\n{table}'
            '[tool.lambdabuild.functions.api]\nhandler = "api.handler"\n'
        )
        for one in wheels:
            (tmp_path / one.filename).write_bytes(one.data)
        (tmp_path / "api.py").write_text(handler)
        subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--project", tmp_path], check=True)
        done = lambdabuild("package", "--project", tmp_path, "--builder", "docker", "--no-verify", "--json")
        return json.loads(done.stdout)

    return run


def zips(report: dict[str, Any]) -> dict[str, Any]:
    output = Path(report["output"])
    return {"function": output / "api.zip", "layers": [output / "layer.zip"]}


def test_what_is_needed_is_kept_by_default(build: Callable, image: LambdaImage) -> None:
    report = build("")
    answer = image.invoke(**zips(report), handler="api.handler", event={"name": "shapes"})
    assert (answer.error, answer.payload) == (None, ["2.5", "square", ["plugged"]])
    assert report["kept"]["layer.zip"] == [
        {
            "distribution": "shapes",
            "kind": "tests",
            "files": [
                "shapes/core/tests/__init__.py",
                "shapes/core/tests/_names.py",
                "shapes/core/tests/_types.py",
                "shapes/tests/sizes.txt",
            ],
            "size": 72,
            "reasons": [
                "shapes/__init__.py:1 imports shapes.core.tests._types",
                "shapes/core/tests/_types.py:1 imports shapes.core.tests._names",
                "shapes/sizes.py:3 names shapes/tests/sizes.txt",
            ],
        },
    ]
    (note,) = [one for one in report["findings"] if one["severity"] == "note"]
    assert note["message"] == (
        "layer.zip leaves out 1 data file (1 B) of test folders, which no code outside of them names: "
        "shapes/tests/other.txt"
    )


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_look_ups_over_a_set(
    build: Callable, docker_client: docker.DockerClient, image_for: Callable[[str], str], python: str
) -> None:
    image = LambdaImage(docker_client, image_for(python))
    report = build("", LOOKS_UP, python)
    answer = image.invoke(**zips(report), handler="api.handler", event={})
    assert answer.error is None
    assert answer.payload == {
        "versions": ["1.0", "2.5", "1.0"],
        "modules": {"tells": ["tells"], "shapes": ["shapes"], "plugin": ["plugin"]},
        "plugins": ["plugged"],
        "files": answer.payload["files"],
        "sizes": "7",
    }
    assert {"plugin.py", "plugin-1.0.dist-info/METADATA"} <= set(answer.payload["files"])
    reasons = {tuple(one["reasons"]) for one in report["kept"]["layer.zip"] if one["kind"] == "metadata"}
    assert reasons == {("api.py:12 asks for lists of files",)}


@pytest.mark.parametrize(
    ("table", "error"),
    [
        (
            'dist-info = "strip"\n',
            "PackageNotFoundError: No package metadata was found for shapes",
        ),
        ('tests = "strip"\n', "ModuleNotFoundError: No module named 'shapes.core.tests'"),
    ],
)
def test_what_is_stripped_is_missing(build: Callable, image: LambdaImage, table: str, error: str) -> None:
    report = build(table)
    assert image.invoke(**zips(report), handler="api.handler", event={"name": "shapes"}).error == error


def test_what_is_kept_whole_needs_no_evidence(build: Callable, image: LambdaImage) -> None:
    report = build('dist-info = "keep"\ntests = "keep"\n')
    assert report["kept"] == {}
    answer = image.invoke(**zips(report), handler="api.handler", event={"name": "tells"})
    assert (answer.error, answer.payload) == (None, ["1.0", "square", ["plugged"]])
