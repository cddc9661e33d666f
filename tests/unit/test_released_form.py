"""What is released has all that the checkout has, and says of itself what is true elsewhere, too."""

from __future__ import annotations

import email
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.released import ROOT, Released, release


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    return release(tmp_path_factory.mktemp("released"))


def files(folder: str) -> set[str]:
    """Of this checkout, below a folder, without caches and what is not there on other systems."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_of_the_sdist_has_every_file(released: Released) -> None:
    with zipfile.ZipFile(released.wheel) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == files("lambdabuild")
    with tarfile.open(released.sdist) as sdist:
        base = f"{released.sdist.name.removesuffix('.tar.gz')}/"
        assert files("lambdabuild") <= {name.removeprefix(base) for name in sdist.getnames()}


def test_its_metadata(released: Released) -> None:
    with zipfile.ZipFile(released.wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["Author"] == "the lambdabuild authors"
    assert metadata["License-Expression"] == "MIT"
    assert "Topic :: Software Development :: Build Tools" in metadata.get_all("Classifier", [])
    page = str(metadata.get_payload())
    assert page.startswith("# lambdabuild\n")
    assert "every handler and module is imported there: docs/verification.md." in page
    assert [link for link in re.findall(r"\]\(([^)]*)\)", page) if not link.startswith("https://")] == []


def test_it_builds_on_this_machine(released: Released, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context):\n    pass\n")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "demo"\n[tool.lambdabuild.functions.api]\nhandler = "app.handler"\n'
    )
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    argv = [released.command, "package", "--builder", "host"]
    done = subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (0, 3), done.stderr
    with zipfile.ZipFile(tmp_path / "dist" / "lambda" / "api.zip") as archive:
        assert archive.namelist() == ["app.py"]
