"""lambdabuild as it is released: the sdist of this checkout, the wheel made from it, that wheel installed elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.uv import find_binary

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Released:
    """What was made, and the command that was installed from it."""

    sdist: Path
    wheel: Path
    command: Path


def release(folder: Path) -> Released:
    """Make it all in a folder, without an index: what it needs to be built and to run is that of this Python."""
    made, elsewhere = folder / "made", folder / "elsewhere"
    _uv("build", "--out-dir", made, "--no-build-isolation", "--python", sys.executable, ROOT)
    (sdist,), (wheel,) = made.glob("*.tar.gz"), made.glob("*.whl")
    _uv("venv", "--python", sys.executable, elsewhere)
    python = elsewhere / "bin" / "python"
    _uv("pip", "install", "--python", python, "--no-deps", wheel)
    packages = sysconfig.get_path("purelib", vars={"base": str(elsewhere)})
    Path(packages, "dependencies.pth").write_text(sysconfig.get_path("purelib"))  # without this checkout's own .pth
    return Released(sdist=sdist, wheel=wheel, command=elsewhere / "bin" / "lambdabuild")


def _uv(*argv: str | Path) -> None:
    environ = {**os.environ, "UV_OFFLINE": "1"}
    subprocess.run([find_binary(), *argv, "--quiet"], cwd=ROOT, env=environ, check=True)
