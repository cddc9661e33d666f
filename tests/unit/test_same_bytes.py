"""The same bytes on every machine: archives of wheels written in every way, built in surroundings that differ."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.goodwheels import good_wheels
from tests.index import Index
from tests.shop import Shop, make_shop
from tests.wheels import wheel

WHEELS = good_wheels()
NAMES = [filename.partition("-")[0] for filename in WHEELS]
PROJECT = {
    "pyproject.toml": f"""\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.10"
dependencies = {NAMES}

[tool.lambdabuild]
python = "3.13"

[tool.lambdabuild.layers.slimmed]

[tool.lambdabuild.layers.whole]
keep = ["*"]

[tool.lambdabuild.functions.api]
handler = "shop.main.handler"
layers = ["slimmed"]

[tool.lambdabuild.functions.all]
handler = "shop.main.handler"
layers = ["whole"]
""",
    "src/shop/__init__.py": "",
    "src/shop/main.py": "import demo0\n\n\ndef handler(event, context):\n    return demo0.__name__\n",
    "src/shop/naïve 数.txt": "a text that deflates well, " * 90,
}
HERE = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}
ELSEWHERE = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}

Digests = Mapping[str, str]


def build(shop: Shop, project: Path, **environ: str) -> Digests:
    """The sha256 of every archive, slim and fat."""
    for mode in ([], ["--fat"]):
        shop.done("package", *mode, "--builder", "host", "--project", project, **environ)
    archives = sorted((project / "dist" / "lambda").glob("*.zip"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in archives}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Digests]]:
    """A locked project, and the digests of what is built of it from an empty cache."""
    with Index() as index:
        for filename, data in WHEELS.items():
            index.add_file(filename.partition("-")[0], filename, data)
        index.add(wheel("six", launchers={"six": "six:main"}))
        shop = make_shop(tmp_path_factory.mktemp("here"), index).write(PROJECT).lock()
        before = os.umask(0o022)
        try:
            yield shop, build(shop, shop.project, **HERE)
        finally:
            os.umask(before)


def test_a_warm_cache_gives_the_same_bytes(built: tuple[Shop, Digests]) -> None:
    shop, digests = built
    shutil.rmtree(shop.output)
    assert build(shop, shop.project, **ELSEWHERE) == digests


def test_other_surroundings_give_the_same_bytes(built: tuple[Shop, Digests], tmp_path: Path) -> None:
    """Another place, order of files, age, working folder, home, zone, locale, hash seed and umask, nothing cached."""
    shop, digests = built
    project = tmp_path / "another place"
    Shop(project, {}).write(dict(reversed(PROJECT.items())))
    shutil.copy(shop.project / "uv.lock", project)
    for path in project.rglob("*"):
        os.utime(path, (1, 1))
    homes = {"HOME": "home", "LAMBDABUILD_CACHE_DIR": "cache", "UV_CACHE_DIR": "uv cache"}
    environ = ELSEWHERE | {name: str(tmp_path / folder) for name, folder in homes.items()}
    os.umask(0o077)
    found = build(Shop(tmp_path, shop.environ), project, **environ)
    assert found == digests
    assert list(found) == ["all-fat.zip", "all.zip", "api-fat.zip", "api.zip", "slimmed.zip", "whole.zip"]
    os.utime(project / "src" / "shop" / "main.py")
    assert build(Shop(tmp_path, shop.environ), project, **environ, SOURCE_DATE_EPOCH="1700000000") != digests


def test_the_bytes_are_these(built: tuple[Shop, Digests]) -> None:
    """Whoever changes these digests changes every artifact: say it in the changelog."""
    _, digests = built
    assert digests == {
        "all-fat.zip": "d726d48e383d33502bf0f3250e576e61fbc99757a763b153aae98ae35656cfa6",
        "all.zip": "77bd501151cd325facb4f8c6f757c36f6081aba1b7c06f16e2e0a0a83a912116",
        "api-fat.zip": "3a8df82d228274ec7180498a92476f0c27f57691c2498c2cd88d3c80e5a6a951",
        "api.zip": "77bd501151cd325facb4f8c6f757c36f6081aba1b7c06f16e2e0a0a83a912116",
        "slimmed.zip": "e150fa65f10e9b4cb4400a172589420c24c7aad7c6414edd015f9595123de15e",
        "whole.zip": "22be780e6eff48813638c19cab54b16a3253113b9c25f23bdf040c1cf2eeacfc",
    }
