"""What lambdabuild itself writes and makes is never told to be a change, and packages of folders are whole."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.index import Index
from tests.shop import Shop, make_shop

BACKEND = '''\
"""Puts all files of the folder "inner" into a wheel."""

import base64, hashlib, os, zipfile

INFO = "inner-1.0.dist-info"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    files = {}
    for place, _, names in os.walk("inner"):
        for name in sorted(names):
            with open(os.path.join(place, name), "rb") as file:
                files[os.path.join(place, name)] = file.read()
    files[INFO + "/METADATA"] = b"Metadata-Version: 2.1\\nName: inner\\nVersion: 1.0\\n"
    files[INFO + "/WHEEL"] = b"Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    digests = {path: base64.urlsafe_b64encode(hashlib.sha256(data).digest()) for path, data in files.items()}
    rows = [f"{path},sha256={digest.rstrip(b'=').decode()},{len(files[path])}" for path, digest in digests.items()]
    files[INFO + "/RECORD"] = "\\n".join([*rows, INFO + "/RECORD,,", ""]).encode()
    with zipfile.ZipFile(os.path.join(folder, "inner-1.0-py3-none-any.whl"), "w") as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)
    return "inner-1.0-py3-none-any.whl"
'''
INNER = """\
[project]
name = "inner"
version = "1.0"
requires-python = ">=3.10"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
FILES = {
    "pyproject.toml": INNER,
    "backend.py": BACKEND,
    "inner/__init__.py": "",
    "inner/venv/__init__.py": "",
    "inner/node_modules/a.js": "x",
    "inner/.env.defaults": "A=1",
}
SHOP = """\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.10"
dependencies = ["inner"]
[tool.uv.sources]
inner = {source}
[tool.lambdabuild]
python = "3.13"
"""


@pytest.fixture
def shop(tmp_path: Path, index: Index) -> Shop:
    return make_shop(tmp_path, index)


def write(folder: Path, prefix: str = "") -> Path:
    for name, text in FILES.items():
        path = folder / prefix / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / prefix


def is_unchanged(shop: Shop, *argv: str) -> bool:
    """Whether a build took the short way; the one before it said nothing of a change."""
    ended = shop.done("layer", "--builder", "host", "--no-verify", *argv)
    assert "changed during the build" not in ended.err
    return "unchanged" in ended.out


def test_a_lock_that_is_written_by_lock(shop: Shop) -> None:
    write(shop.project, "lib")
    shop.write({"pyproject.toml": SHOP.replace("{source}", '{ path = "lib" }')})
    assert not is_unchanged(shop, "--lock")
    assert (shop.project / "uv.lock").is_file()
    assert is_unchanged(shop, "--lock")


def test_a_package_of_a_folder_has_what_its_backend_puts_in(shop: Shop) -> None:
    write(shop.project, "lib")
    shop.write({"pyproject.toml": SHOP.replace("{source}", '{ path = "lib" }')}).lock()
    assert not is_unchanged(shop)
    with zipfile.ZipFile(shop.output / "layer.zip") as archive:
        names = {name.removeprefix("python/") for name in archive.namelist()}
    assert {name for name in FILES if name.startswith("inner/")} <= names


def test_a_git_dependency(shop: Shop, tmp_path: Path) -> None:
    repository = write(tmp_path / "repository")
    for argv in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "one"]):
        identity = ["-c", "user.name=me", "-c", "user.email=me@mail.example"]
        subprocess.run(["git", "-C", repository, *identity, *argv], check=True)
    shop.write({"pyproject.toml": SHOP.replace("{source}", f'{{ git = "{repository.as_uri()}" }}')}).lock()
    assert not is_unchanged(shop)
    assert is_unchanged(shop)


def test_the_project_itself(shop: Shop) -> None:
    """Its folder holds the output."""
    write(shop.project)
    layer = '[tool.lambdabuild]\npython = "3.13"\n[tool.lambdabuild.layers.own]\nrequirements = "requirements.txt"\n'
    shop.write({"pyproject.toml": f"{INNER}{layer}", "requirements.txt": "-e .\n"})
    assert not is_unchanged(shop)
    assert is_unchanged(shop)
    before = (shop.output / "own.zip").read_bytes()
    shop.write({"elsewhere.txt": "x"})
    assert not is_unchanged(shop)
    assert is_unchanged(shop)
    assert (shop.output / "own.zip").read_bytes() == before


def test_a_pylock_that_would_run_a_command(shop: Shop, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    pyproject = '[project]\nname = "shop"\nversion = "1"\n[tool.lambdabuild]\npython = "3.13"\n'
    pylock = (
        'lock-version = "1.0"\ncreated-by = "demo"\n[[packages]]\nname = "evil"\nversion = "1.0"\n'
        f'[packages.vcs]\ntype = "git"\nurl = "--upload-pack=touch {owned};"\ncommit-id = "{"ab" * 20}"\n'
    )
    layer = '[tool.lambdabuild.layers.own]\npylock = "pylock.toml"\n'
    shop.write({"pyproject.toml": f"{pyproject}{layer}", "pylock.toml": pylock})
    ended = shop.run("layer", "--builder", "host")
    assert ended.code == 1
    assert ended.error == (
        f'error: {shop.project}/pylock.toml: evil: the lock gives "--upload-pack=touch {owned};" as the address of a '
        "repository; expected a URL that begins with https://, http://, ssh://, git:// or file://\n"
        "  hint: if no tool of yours wrote this, do not use the lock; otherwise lock again\n"
    )
    assert not owned.exists()
    assert not shop.output.exists()
