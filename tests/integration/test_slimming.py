"""Slimming by evidence, in the runtime image: what is kept is needed there, and breaks where it is not kept."""

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


@pytest.fixture
def image(docker_client: docker.DockerClient, image_for: Callable[[str], str]) -> LambdaImage:
    return LambdaImage(docker_client, image_for("3.13"))


@pytest.fixture
def build(tmp_path: Path, lambdabuild: Callable) -> Callable[[str], dict[str, Any]]:
    """Builds a project of three hand-made wheels with these lines in its table."""
    plugin = wheel(
        "plugin",
        files={
            "plugin.py": "NAME = 'plugged'\n",
            "plugin-1.0.dist-info/entry_points.txt": "[shop.plugins]\na = plugin:NAME\n",
        },
    )
    wheels = (TELLS, SHAPES, plugin)
    sources = "".join(f'{one.name} = {{ path = "{one.filename}" }}\n' for one in wheels)

    def run(table: str) -> dict[str, Any]:
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
            f'dependencies = ["tells", "shapes", "plugin"]\n[tool.uv.sources]\n{sources}'
            f'[tool.lambdabuild]\npython = "3.13"\n{table}[tool.lambdabuild.functions.api]\nhandler = "api.handler"\n'
        )
        for one in wheels:
            (tmp_path / one.filename).write_bytes(one.data)
        (tmp_path / "api.py").write_text(HANDLER)
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
            "distribution": "plugin",
            "kind": "metadata",
            "files": ["plugin-1.0.dist-info/METADATA", "plugin-1.0.dist-info/entry_points.txt"],
            "size": 79,
            "reasons": ["declares entry points: shop.plugins", "tells/__init__.py:4 looks up any distribution"],
        },
        {
            "distribution": "shapes",
            "kind": "metadata",
            "files": ["shapes-2.5.dist-info/METADATA"],
            "size": 48,
            "reasons": ["tells/__init__.py:4 looks up any distribution"],
        },
        {
            "distribution": "tells",
            "kind": "metadata",
            "files": ["tells-1.0.dist-info/METADATA"],
            "size": 47,
            "reasons": ["tells/__init__.py:4 looks up any distribution"],
        },
        {
            "distribution": "shapes",
            "kind": "tests",
            "files": [
                "shapes/core/tests/__init__.py",
                "shapes/core/tests/_names.py",
                "shapes/core/tests/_types.py",
            ],
            "size": 71,
            "reasons": [
                "shapes/__init__.py:1 imports shapes.core.tests._types",
                "shapes/core/tests/_types.py:1 imports shapes.core.tests._names",
            ],
        },
    ]


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
