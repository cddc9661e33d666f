"""The command line's short way: what is unchanged is seen at a look, and whatever changes is seen, too."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lambdabuild.uv import find_binary
from tests.index import Index
from tests.shop import Ended, Shop, make_shop
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

[tool.lambdabuild.functions.job]
handler = "shop.main.handler"
exclude = ["words.py"]
"""
HANDLER = "import greet\n\ndef handler(event, context):\n    return greet.hello(event)\n"
HEAVY = ("docker", "rich", "requests", "packaging", "pathspec", "tomli", "deflate", "subprocess", "asyncio")
ENGINE = ("docker", "requests", "urllib3", "rich")
"""What an edit of code needs no more than an unchanged build does."""


@pytest.fixture
def shop(tmp_path: Path, index: Index) -> Shop:
    index.add(wheel("greet", files={"greet.py": "def hello(name):\n    return name\n"}))
    files = {"pyproject.toml": PYPROJECT, "src/shop/__init__.py": "", "src/shop/main.py": HANDLER}
    files |= {"src/shop/words.py": "WHO = 'world'\n", ".gitignore": "dist\n"}
    return make_shop(tmp_path, index).write(files).lock()


def package(shop: Shop, *argv: str, **environ: str) -> Ended:
    return shop.done("package", "--builder", "host", *argv, **environ)


def is_unchanged(shop: Shop, *argv: str, **environ: str) -> bool:
    """Whether a build took the short way."""
    ended = package(shop, *argv, **environ)
    assert ("reading the lock" in ended.err) != ("unchanged" in ended.out)
    return "unchanged" in ended.out


def test_an_unchanged_build_says_again_what_it_said(shop: Shop) -> None:
    first = package(shop)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in shop.output.iterdir()}
    again = package(shop)
    assert again.err == ""
    *lines, last = first.out.splitlines()
    assert last.startswith(
        "python3.13 x86_64, host builder, not verified, distributions: 1 installed, 0 from the cache, "
    )
    assert again.out.splitlines()[:-1] == lines
    assert re.fullmatch(
        r"python3\.13 x86_64, host builder, not verified, unchanged, \d\.\d s", again.out.splitlines()[-1]
    )
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in shop.output.iterdir()} == before


def test_warnings_are_said_again(shop: Shop) -> None:
    text = PYPROJECT.replace('python = "3.13"', 'python = "3.10"')
    shop.write({"pyproject.toml": text}).lock()
    warning = "warning: python3.10 is deprecated since 2026-10-31: AWS patches it no more, "
    first, again = package(shop), package(shop)
    assert warning in first.err
    assert again.err.startswith(warning)
    assert "unchanged" in again.out


def test_json(shop: Shop) -> None:
    first, again = json.loads(package(shop, "--json").out), json.loads(package(shop, "--json").out)
    assert again.pop("unchanged") is True
    assert again.pop("seconds") <= first.pop("seconds")
    assert again == first


def test_nothing_heavy_is_imported(shop: Shop) -> None:
    package(shop)
    unchanged = ["package", "--builder", "host"]
    for argv in (unchanged, ["--help"], ["package", "--help"], edited := [*unchanged]):
        if argv is edited:
            shop.write({"src/shop/words.py": "WHO = 'Erde!'\n"})
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "lambdabuild", *argv],
            cwd=shop.project,
            env=shop.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
        assert "click" in imported
        assert imported.isdisjoint(HEAVY if argv is not edited else ENGINE), argv


def change_unseen(path: Path, before: bytes, after: bytes) -> None:
    """Change what a file holds, and neither its size nor its time."""
    looks, content = path.stat(), path.read_bytes()
    assert (before in content, len(before)) == (True, len(after))
    path.write_bytes(content.replace(before, after))
    os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns))


CHANGES: dict[str, Callable[[Shop], object]] = {
    "the configuration": lambda shop: shop.write({"pyproject.toml": PYPROJECT + "\n# a remark\n"}),
    "the lock": lambda shop: shop.write({"uv.lock": (shop.project / "uv.lock").read_text() + "\n"}),
    "a source": lambda shop: shop.write({"src/shop/words.py": "WHO = 'Erde!'\n"}),
    "a new source": lambda shop: shop.write({"src/shop/new.py": ""}),
    "a removed source": lambda shop: (shop.project / "src/shop/words.py").unlink(),
    "a renamed source": lambda shop: (shop.project / "src/shop/words.py").rename(shop.project / "src/shop/word.py"),
    "a source that may be executed": lambda shop: (shop.project / "src/shop/words.py").chmod(0o755),
    "what git ignores": lambda shop: shop.write({".gitignore": "dist\nwords.py\n"}),
    "what git ignores below": lambda shop: shop.write({"src/shop/.gitignore": "words.py\n"}),
    "what lambdabuild ignores": lambda shop: shop.write({".lambdaignore": "words.py\n"}),
    "the Python version": lambda shop: shop.write({".python-version": "3.13\n"}),
    "uv's settings": lambda shop: shop.write({"uv.toml": ""}),
    "another module in the handler's place": lambda shop: shop.write({"src/shop/main/__init__.py": HANDLER}),
    "an artifact that is gone": lambda shop: (shop.output / "layer.zip").unlink(),
    "an artifact that was changed": lambda shop: (shop.output / "api.zip").write_bytes(b"PK"),
    "an artifact that looks as it did": lambda shop: change_unseen(shop.output / "api.zip", b"shop/", b"ship/"),
    "the manifest": lambda shop: (shop.output / "manifest.json").unlink(),
    "a manifest that was changed": lambda shop: change_unseen(shop.output / "manifest.json", b'"host"', b'"hast"'),
    "all artifacts": lambda shop: shutil.rmtree(shop.output),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_is_seen(shop: Shop, change: Callable[[Shop], object]) -> None:
    package(shop)
    before = {path.name: path.read_bytes() for path in shop.output.iterdir()}
    assert is_unchanged(shop)
    change(shop)
    assert not is_unchanged(shop)
    assert is_unchanged(shop)
    assert (shop.output / "layer.zip").read_bytes() == before["layer.zip"]


NO_CHANGES: dict[str, Callable[[Shop], object]] = {
    "a touched source": lambda shop: os.utime(shop.project / "src/shop/main.py"),
    "a source written again": lambda shop: shop.write({"src/shop/main.py": HANDLER}),
    "a touched artifact": lambda shop: os.utime(shop.output / "layer.zip"),
    "what Python leaves": lambda shop: shop.write({"src/shop/__pycache__/main.cpython-313.pyc": "compiled"}),
    "what is not packaged": lambda shop: shop.write({"notes/todo.md": "much"}),
}


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES)
def test_what_does_not_matter_is_no_change(shop: Shop, change: Callable[[Shop], object]) -> None:
    package(shop)
    change(shop)
    assert is_unchanged(shop)


def test_what_of_the_environment_does_not_matter(shop: Shop) -> None:
    package(shop)
    assert is_unchanged(shop, TZ="Asia/Tokyo", COLUMNS="40", USER="me", LANG="C", TERM="dumb")


def test_what_is_looked_at(shop: Shop) -> None:
    package(shop)
    (path,) = (Path(shop.environ["LAMBDABUILD_CACHE_DIR"]) / "v3" / "builds").iterdir()
    seen = json.loads(path.read_bytes().partition(b"\n")[2])["seen"]
    project = ("pyproject.toml", "uv.lock", "uv.toml", ".gitignore", ".lambdaignore", ".python-version")
    assert seen.keys() >= {str(shop.project / name) for name in project}
    assert seen.keys() >= {str(path) for path in (shop.project / "src").rglob("*.py")}
    assert seen.keys() >= {str(path) for path in shop.output.iterdir()}
    assert str(find_binary()) in seen


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (["api"], {}),
        (["--fat"], {}),
        (["--architecture", "arm64"], {}),
        (["--python", "3.12"], {}),
        (["--output", "elsewhere"], {}),
        (["--handler", "shop.main.handler"], {}),
        (["--upgrade"], {}),
        ([], {"UV_INDEX_STRATEGY": "unsafe-best-match"}),
        ([], {"LAMBDABUILD_IMAGE": "mirror/lambda:{python}"}),
        ([], {"SOURCE_DATE_EPOCH": "1600000000"}),
    ],
)
def test_another_question_is_not_answered_with_what_was_said(
    shop: Shop, argv: list[str], environ: dict[str, str]
) -> None:
    package(shop)
    assert not is_unchanged(shop, *argv, **environ)


def test_a_failed_build_is_not_remembered(shop: Shop) -> None:
    package(shop)
    shop.write({"src/shop/main.py": "def other(): ...\n"})
    for _ in range(2):
        assert shop.run("package", "--builder", "host").code == 2
    shop.write({"src/shop/main.py": HANDLER})
    assert is_unchanged(shop)


def test_a_damaged_state_is_no_state(shop: Shop) -> None:
    package(shop)
    (state,) = (Path(shop.environ["LAMBDABUILD_CACHE_DIR"]) / "v3" / "builds").iterdir()
    whole = state.read_text()
    for text in ("", "{}", whole[:-10], whole.replace('"told"', '"tolt"'), whole.replace("layer", "lawyer")):
        state.write_text(text)
        assert not is_unchanged(shop)
    assert is_unchanged(shop)


# The cache command


def wheels(shop: Shop) -> list[Path]:
    folder = Path(shop.environ["LAMBDABUILD_CACHE_DIR"]) / "v3" / "wheels"
    return [path for path in folder.rglob("*") if path.is_file()]


def cached(shop: Shop) -> int:
    """Wheels in the cache, as the command tells."""
    return int(json.loads(shop.done("cache", "size", "--json").out)["wheels"])


def test_the_cache_is_told_of_and_emptied(shop: Shop) -> None:
    package(shop)
    folder = shop.environ["LAMBDABUILD_CACHE_DIR"]
    assert shop.done("cache", "dir").out == f"{folder}\n"
    told = re.fullmatch(r"1 wheel, (\d+\.\d kB)\n", shop.done("cache", "size").out)
    assert told is not None
    assert shop.done("cache", "verify").out == f"1 wheel, {told[1]}, all as written\n"
    assert shop.done("cache", "prune").out == "removed 0 wheels, 0 B\n"
    assert shop.done("cache", "prune", "--max-size", "0B").out.startswith("removed 1 wheel, ")
    assert cached(shop) == 0
    package(shop)
    assert shop.done("cache", "clear").out.startswith("removed ")
    assert not is_unchanged(shop)


def test_a_damaged_entry_is_set_aside_and_built_again(shop: Shop) -> None:
    package(shop)
    (path,) = wheels(shop)
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:-1])
    ended = shop.run("cache", "verify")
    assert (ended.code, ended.err) == (
        3,
        f"error: {path} is damaged; it was set aside, and will be built again\n"
        "  hint: check the disk; lambdabuild cache prune removes what was set aside\n",
    )
    assert not path.exists()
    shutil.rmtree(shop.output)
    package(shop)
    assert path.read_bytes() == whole


def test_a_build_keeps_the_cache_within_its_bound(shop: Shop) -> None:
    package(shop, LAMBDABUILD_CACHE_MAX_SIZE="100B")
    assert cached(shop) == 0
    ended = shop.run("package", "--builder", "host", LAMBDABUILD_CACHE_MAX_SIZE="much")
    assert (ended.code, ended.error) == (
        2,
        'error: LAMBDABUILD_CACHE_MAX_SIZE: "much" is not a size\n  hint: write it like 500MB or 2GB\n',
    )


@pytest.mark.parametrize("size", ["-1GB", "1XB", "1e3", "GB", "1 2MB"])
def test_what_is_no_size(shop: Shop, size: str) -> None:
    ended = shop.run("cache", "prune", "--max-size", size)
    assert (ended.code, ended.error) == (
        2,
        f'error: --max-size: "{size}" is not a size\n  hint: write it like 500MB or 2GB\n',
    )


def test_what_did_not_change_stands_from_one_process_to_the_next(shop: Shop) -> None:
    """Nothing of it is needed: not even its distributions, which are gone from the cache."""
    text = PYPROJECT.replace('exclude = ["words.py"]\n', 'source = "job"\nlayers = []\nrequirements = []\n')
    shop.write({"pyproject.toml": text + "[tool.lambdabuild.layers.layer]\n", "job/shop/main.py": HANDLER})
    first = package(shop.lock())
    shutil.rmtree(Path(shop.environ["LAMBDABUILD_CACHE_DIR"]) / "v3" / "wheels")
    shop.write({"job/shop/main.py": HANDLER + "x = 1\n"})
    again = package(shop)
    assert "distributions: 0 installed, 1 from the cache" in again.out
    assert again.out.splitlines()[:2] == first.out.splitlines()[:2]
