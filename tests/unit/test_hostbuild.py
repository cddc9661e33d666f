"""builders.hostbuild: a folder's wheel, built on this machine where that compiles nothing."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from lambdabuild.builders.base import WheelBuild
from lambdabuild.builders.hostbuild import build_on_host
from lambdabuild.errors import BuildError
from lambdabuild.model.events import ignore
from lambdabuild.model.requirements import Pin
from lambdabuild.uv import find_binary
from tests.samples import target

BACKEND = """
import os, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "inner-1.0-TAG.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as archive:
        archive.writestr("seen.txt", "\\n".join(f"{name}={value}" for name, value in os.environ.items()))
        metadata = "Metadata-Version: 2.1\\nName: inner\\nVersion: 1.0\\n"
        archive.writestr("inner-1.0.dist-info/METADATA", metadata)
        archive.writestr("inner-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: TAG\\n")
        archive.writestr("inner-1.0.dist-info/RECORD", "inner-1.0.dist-info/RECORD,,\\n")
    return name
"""
OTHER = next(python for python in ("3.13", "3.14") if python != f"3.{sys.version_info.minor}")


def build(tmp_path: Path, *, tag: str = "py3-none-any", version: str = "1.0") -> Path:
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "backend.py").write_text(BACKEND.replace("TAG", tag))
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    before = sorted(folder.rglob("*"))
    made = tmp_path / "made"
    made.mkdir()
    pin = Pin(name="inner", version=version, kind="folder", path=str(folder), sha256="00" * 32)
    try:
        return build_on_host(
            WheelBuild(pin=pin, target=target(OTHER)),
            uv_binary=find_binary(),
            environ={**os.environ, "UV_INDEX_OWN_PASSWORD": "canary", "NETRC": "/canary"},
            output=None,
            keep_log=lambda name, text: None,
            folder=made,
            listen=ignore,
        )
    finally:
        assert sorted(folder.rglob("*")) == before


def test_a_wheel_for_any_platform(tmp_path: Path) -> None:
    made = build(tmp_path)
    assert made == tmp_path / "made" / "inner-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made) as archive:
        seen = archive.read("seen.txt").decode()
    assert "canary" not in seen
    assert "SOURCE_DATE_EPOCH=315532800" in seen.splitlines()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tag": "py3-none-linux_x86_64"},
            f"inner 1.0 compiles to py3-none-linux_x86_64 on this machine, which is not python{OTHER} x86_64",
        ),
        (
            {"tag": "cp310-none-any"},
            f"inner 1.0 compiles to a wheel of its own Python on this machine, which is not python{OTHER} x86_64",
        ),
        ({"version": "2.0"}, "building inner 2.0 gave another distribution or version: inner-1.0-py3-none-any.whl"),
    ],
)
def test_what_the_target_does_not_take(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(BuildError) as refused:
        build(tmp_path, **changes)
    assert refused.value.message == message
