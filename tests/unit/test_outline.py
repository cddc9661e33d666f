"""Edits of code: what the checks would say again is not asked for again, and every build is what a first one makes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.elves import elf
from tests.index import Index
from tests.shop import Shop, make_shop
from tests.wheels import wheel

PYPROJECT = """\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.10"
dependencies = ["greet"]

[tool.lambdabuild]
python = "3.13"

[tool.lambdabuild.functions.api]
handler = "shop.main.handler"
source = "src"

[tool.lambdabuild.functions.job]
handler = "shop.job.handler"
source = "src"
"""
HANDLER = "import greet\n\n\ndef handler(event, context):\n    return greet.hello(event)\n"
JOB = "import json\n\n\ndef handler(event, context):\n    return json.dumps(event)\n"
GREET = "def hello(name):\n    return name\n"


@pytest.fixture
def shop(tmp_path: Path, index: Index) -> Shop:
    index.add(wheel("greet", files={"greet.py": GREET, "greet_more/__init__.py": ""}))
    files = {"pyproject.toml": PYPROJECT, "src/shop/__init__.py": "", "src/shop/main.py": HANDLER}
    files |= {
        "src/shop/job.py": JOB,
        "src/shop/data.txt": "1\n",
        "src/greet_more/own.py": "A = 1\n",
        "src/shop/broken.py": "no code\n",
    }
    return make_shop(tmp_path, index).write(files).lock()


def build(shop: Shop) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What is in the output folder but the manifest, and what is told."""
    report = json.loads(shop.done("package", "--builder", "host", "--json").out)
    for passing in ("seconds", "distributions_cached", "distributions_installed", "unchanged"):
        report.pop(passing, None)
    return {path.name: path.read_bytes() for path in shop.output.glob("*.zip")}, report


def build_first(shop: Shop) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The same without anything that earlier builds left."""
    shutil.rmtree(shop.output)
    shutil.rmtree(shop.environ["LAMBDABUILD_CACHE_DIR"])
    return build(shop)


def edit(path: str, *, before: str = "", after: str) -> Callable[[Shop], object]:
    def change(shop: Shop) -> None:
        file = shop.project / path
        text = file.read_text() if file.exists() else ""
        assert before in text
        shop.write({path: text.replace(before, after) if before else text + after})

    return change


ALIKE: dict[str, Callable[[Shop], object]] = {
    "a remark": edit("src/shop/main.py", after="# a remark\n"),
    "another body": edit("src/shop/main.py", before="greet.hello(event)", after="[greet.hello(event)] * 2"),
    "another function": edit("src/shop/job.py", after="\n\ndef more():\n    return 'more'\n"),
    "what had nothing in it": edit("src/shop/__init__.py", after="A = 1\n"),
    "what no Python reads": edit("src/shop/broken.py", after="more of it\n"),
}
OTHERWISE: dict[str, Callable[[Shop], object]] = {
    "an import": edit("src/shop/main.py", after="import os\n"),
    "an import that may fail": edit(
        "src/shop/job.py", before="import json\n", after="try:\n    import json\nexcept ImportError:\n    pass\n"
    ),
    "a lookup of files": edit(
        "src/shop/job.py", before="return", after="__import__('importlib.metadata').metadata.files('x')\n    return"
    ),
    "a new file": edit("src/shop/new.py", after="x = 1\n"),
    "a file less": lambda shop: (shop.project / "src/shop/data.txt").unlink(),
    "data": edit("src/shop/data.txt", after="2\n"),
    "a program": lambda shop: (shop.project / "src/shop/job.py").chmod(0o755),
    "a name that the layer has": edit("src/greet_more/own.py", after="B = 1\n"),
    "a hidden module": edit("src/greet.py", after="def hello(name):\n    return name * 2\n"),
}


@pytest.mark.parametrize("change", [*ALIKE.values(), *OTHERWISE.values()], ids=[*ALIKE, *OTHERWISE])
def test_an_edit_gives_what_a_first_build_gives(shop: Shop, change: Callable[[Shop], object]) -> None:
    """Where the checks would say the same, the distributions are not read: they are gone from the cache."""
    build(shop)
    assert reads_distributions(shop, change) == (change in OTHERWISE.values())
    made = build(shop)
    assert made == build_first(shop)


def test_code_with_a_binary_is_read_whole(shop: Shop) -> None:
    """What is said of a binary depends on the texts beside it."""
    (shop.project / "src/shop/own.so").write_bytes(elf(needed=["libc.so.6"]))
    build(shop)
    assert reads_distributions(shop, ALIKE["a remark"])


def test_a_function_with_distributions_of_its_own_is_made_whole(shop: Shop) -> None:
    shop.write({"pyproject.toml": f'{PYPROJECT}layers = []\nrequirements = ["greet"]\n'}).lock()
    build(shop)
    assert reads_distributions(shop, ALIKE["a remark"])


def reads_distributions(shop: Shop, change: Callable[[Shop], object]) -> bool:
    """Whether a build does, after this change."""
    wheels = next(Path(shop.environ["LAMBDABUILD_CACHE_DIR"]).glob("v*/wheels"))
    shutil.rmtree(wheels)
    change(shop)
    build(shop)
    return wheels.exists()


KNOWN = {f"steps.{name}" for name in ("assemble", "audit", "bytecode", "compress", "lint", "verify")}
KNOWN |= {f"model.{name}" for name in ("hints", "importpath", "slimming", "verification")}
KNOWN |= {"pipeline.making", "pipeline.verify"}
"""Modules that an edit needs no more: what they told is known."""
LIBRARIES = {"docker", "pathspec", "requests", "rich", "urllib3"}


def test_an_edit_imports_little(shop: Shop) -> None:
    build(shop)
    ALIKE["a remark"](shop)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lambdabuild", "package", "--builder", "host", "--json"],
        cwd=shop.project,
        env=shop.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time" in line}
    own = {name.partition(".")[2] for name in imported if name.startswith("lambdabuild.")}
    assert "pipeline.outline" in own
    assert (own & KNOWN, imported & LIBRARIES) == (set(), set())
    assert len(own) <= 140
