"""Ctrl-C and SIGTERM in every phase of a build: nothing passes over them, and nothing of theirs is published."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lambdabuild.errors import Terminated
from tests.index import Index
from tests.shop import Shop, make_shop
from tests.signals import LAST, STATUS, run_with_signal
from tests.wheels import wheel

PROJECT = {
    "pyproject.toml": (
        '[project]\nname = "shop"\nversion = "0.1"\nrequires-python = ">=3.10"\ndependencies = ["greet"]\n'
        '[tool.lambdabuild]\npython = "3.13"\n[tool.lambdabuild.functions.api]\nhandler = "shop.main.handler"\n'
    ),
    "src/shop/__init__.py": "",
    "src/shop/main.py": "import greet\n\ndef handler(event, context):\n    return greet.HELLO\n",
}
MOMENTS = {
    "configuration": ("open", r"/pyproject\.toml "),
    "asking uv": ("subprocess.Popen", r"'--version'"),
    "export": ("subprocess.Popen", r"'export'"),
    "keeping an export": ("open", r"/exports/\.new-"),
    "sources for the layer": ("open", r"/shop/main\.py "),
    "fetching a wheel": ("open", r"/wheels/.*\.partial"),
    "keeping a wheel": ("os.rename", r"/wheels/.*\.partial"),
    "reading a wheel": ("open", r"/wheels/../[0-9a-f]{64} "),
    "keeping an index": ("open", r"/indexes/\.new-"),
    "sources": ("open", r"/shop/__init__\.py "),
    "stage": ("os.mkdir", r"/\.lambdabuild-"),
    "archive": ("open", r"/\.lambdabuild-[^/]+/api\.zip"),
    "manifest": ("open", r"/\.lambdabuild-[^/]+/manifest\.json"),
}
AFTER = {
    "commit": ("os.rename", r"/manifest\.json"),
    "what is known of the artifacts": ("open", r"/artifacts/\.new-"),
    "what the build said": ("open", r"/builds/\.new-"),
}
"""Moments at which new artifacts may stand already."""


@pytest.fixture
def shop(tmp_path: Path, index: Index) -> Shop:
    index.add(wheel("greet", files={"greet/__init__.py": "HELLO = 'hello'\n"}))
    shop = make_shop(tmp_path, index).write(PROJECT).lock()
    shop.done("package", "--builder", "host")
    main = shop.project / "src" / "shop" / "main.py"
    main.write_text(main.read_text().replace("HELLO", "HELLO.upper()"))
    return shop


@pytest.mark.parametrize("number", STATUS)
@pytest.mark.parametrize("moment", [*MOMENTS, *AFTER])
def test_a_signal_ends_a_build(shop: Shop, tmp_path: Path, moment: str, number: signal.Signals) -> None:
    before = sha256s(shop.output)
    environ = {**shop.environ, "LAMBDABUILD_CACHE_DIR": str(tmp_path / "cold")}
    event, pattern = {**MOMENTS, **AFTER}[moment]
    argv = ["package", "--builder", "host"]
    ended = run_with_signal(number, event, pattern, argv, cwd=shop.project, environ=environ)
    assert (ended.returncode, ended.stderr.splitlines()[-1:]) == (STATUS[number], [LAST[number]]), ended.stderr
    assert list(shop.output.glob(".lambdabuild-*")) == []
    assert list((tmp_path / "cold").glob("v*/lambdabuild-scratch-*")) == []
    if moment in MOMENTS:
        assert sha256s(shop.output) == before
        assert ended.stdout == ""


@pytest.mark.parametrize("again", STATUS)
def test_a_second_signal_while_the_first_is_told_ends_it_at_once(shop: Shop, again: signal.Signals) -> None:
    program = (
        "import os, signal, sys\n"
        "from lambdabuild import cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def watch(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).endswith('/pyproject.toml'):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    if event == 'import' and arguments[0] == 'lambdabuild.cli.failure':\n"
        f"        os.kill(os.getpid(), {int(again)})\n"
        "sys.addaudithook(watch)\n"
        "cli.main()\n"
    )
    argv = [sys.executable, "-c", program, "package", "--builder", "host"]
    ended = subprocess.run(argv, cwd=shop.project, env=shop.environ, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-again, "", "")


def test_termination_is_no_failure() -> None:
    assert not issubclass(Terminated, Exception)


def sha256s(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}
