"""A cache hit is a rebuild, on a real engine: from nothing, from wheels alone, from a damaged cache, and at once."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.libraries import library
from tests.wheels import wheel

PYPROJECT = """\
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = ["lib", "native"]

[tool.uv.sources]
lib = { path = "lib-1.0-py3-none-any.whl" }
native = { path = "native-1.0-cp39-abi3-manylinux_2_17_x86_64.whl" }

[tool.lambdabuild]
python = "3.13"
strip-symbols = true
bytecode = "compile"

[tool.lambdabuild.functions.api]
handler = "app.handler"
"""
APP = "import lib\n\n\ndef handler(event, context):\n    return lib.TEXT\n"
WHEELS = (
    wheel("lib", files={"lib/__init__.py": "TEXT = 'text'\n", "lib/more.py": "MORE = 1\n"}, launchers={"lib": "lib:x"}),
    wheel(
        "native",
        files={"native/__init__.py": "", "native/good.so": library(), "native/brittle.so": library(hidden=True)},
        tag="cp39-abi3-manylinux_2_17_x86_64",
    ),
)
LAYOUT = "v3"


@dataclass(frozen=True)
class Place:
    """A project, an output folder and a cache."""

    lambdabuild: Callable
    project: Path
    output: Path
    cache: Path
    verify: str = "--no-verify"

    def build(self) -> list[dict]:
        """What is told of each build: slim zips and their layers, and fat zips."""
        return [json.loads(self.lambdabuild(*argv, env=self.environ).stdout) for argv in self.commands()]

    @property
    def environ(self) -> dict[str, str]:
        return {"LAMBDABUILD_CACHE_DIR": str(self.cache)}

    def commands(self) -> list[list[object]]:
        options = ["--project", self.project, "--output", self.output, "--builder", "docker", self.verify, "--json"]
        return [["package", *options], ["package", "--fat", *options]]

    def forget(self, *kinds: str) -> "Place":
        """Remove the artifacts, and texts of the cache."""
        shutil.rmtree(self.output)
        for kind in kinds:
            shutil.rmtree(self.cache / LAYOUT / kind)
        return self

    def sha256s(self) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(self.output.glob("*.zip"))}

    def entries(self, *kinds: str) -> dict[Path, bytes]:
        """What the cache holds of some kinds, or of all."""
        folders = [self.cache / LAYOUT / kind for kind in kinds] or [self.cache / LAYOUT]
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(self.cache): path.read_bytes() for path in sorted(files) if path.suffix != ".lock"}


@pytest.fixture
def place(tmp_path: Path, lambdabuild: Callable) -> Place:
    project = tmp_path / "shop"
    project.mkdir()
    for one in WHEELS:
        (project / one.filename).write_bytes(one.data)
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "app.py").write_text(APP)
    subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--project", project], check=True)
    return Place(lambdabuild, project, tmp_path / "out", tmp_path / "cache")


def installed(reports: list[dict]) -> list[int]:
    return [report["distributions_installed"] for report in reports]


def test_with_and_without_the_cache(place: Place, tmp_path: Path) -> None:
    assert installed(place.build()) == [2, 0]
    made = place.sha256s()
    assert list(made) == ["api-fat.zip", "api.zip", "layer.zip"]
    assert installed(place.forget("builds", "artifacts").build()) == [0, 0]
    assert place.sha256s() == made
    project = tmp_path / "another" / "shop"
    shutil.copytree(place.project, project)
    other = replace(place, project=project, output=tmp_path / "another" / "out", cache=tmp_path / "another" / "cache")
    assert installed(other.build()) == [2, 0]
    assert other.sha256s() == made
    kinds = ("wheels", "indexes", "patches")
    assert len(place.entries("wheels")) == len(place.entries("indexes")) == 2
    assert place.entries(*kinds) == other.entries(*kinds)


def test_a_damaged_cache(place: Place) -> None:
    place = replace(place, verify="--verify")
    place.build()
    made = place.sha256s()
    entries = place.entries()
    assert {path.parts[1] for path in entries} >= {
        *("artifacts", "builds", "compared", "exports", "images", "indexes", "patches", "verifications", "wheels")
    }
    for path, content in entries.items():
        at = len(content) * 3 // 4
        (place.cache / path).chmod(0o644)
        (place.cache / path).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    verdict = place.lambdabuild("cache", "verify", env=place.environ, code=3).stderr
    assert [str(path) for path in entries if str(place.cache / path) not in verdict] == []
    shutil.rmtree(place.output)
    reports = place.build()
    assert installed(reports) == [2, 0]
    assert place.sha256s() == made
    verified = [one["remembered"] for report in reports for one in report["verification"]["artifacts"]]
    assert verified == [False] * 3


def test_processes_that_build_at_once(place: Place, tmp_path: Path, environ: Mapping[str, str]) -> None:
    places = [replace(place, output=tmp_path / f"out-{number}") for number in range(3)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "lambdabuild", *map(str, one.commands()[0])],
            env={**environ, **one.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for one in places
    ]
    ended = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    assert sorted(installed([json.loads(out) for out, _ in ended])) == [0, 0, 2]
    made = [one.sha256s() for one in places]
    assert list(made[0]) == ["api.zip", "layer.zip"]
    assert made == made[:1] * 3
    assert not [path for path in place.cache.rglob("*") if path.name.startswith((".new-", "lambdabuild-scratch-"))]


def test_spectra_from_its_wheels(
    spectra: Path, lambdabuild: Callable, environ: Mapping[str, str], tmp_path: Path
) -> None:
    cold = Place(lambdabuild, spectra, tmp_path / "cold", tmp_path / "cache")
    cold.build()
    made = cold.sha256s()
    assert len(made) == 7
    assert installed(cold.forget("builds", "artifacts").build()) == [0, 0]
    assert cold.sha256s() == made
