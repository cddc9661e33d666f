"""uv's own guide for Lambda: https://docs.astral.sh/uv/guides/integration/aws-lambda/, a layer."""

from __future__ import annotations

import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

from benchmarks.measure import Failed, read, run
from benchmarks.projects import Project
from benchmarks.race import Contender
from benchmarks.workplace import Workplace, tool

_PLATFORMS = ("x86_64-manylinux2014", "x86_64-manylinux_2_34")
"""The guide's, and the newest that Amazon Linux 2023 runs, for wheels that are not built for the first."""


def layer(place: Workplace, project: Project, folder: Path) -> Contender:
    """The layer, from a warm cache of uv's; raises Failed when no platform has a wheel of everything."""
    for platform in _PLATFORMS:
        argv = ["sh", "-c", _script(project, platform)]
        clear = partial(_clear, folder)
        clear()
        try:
            log = place.folder / "set-up.log"
            run(argv, cwd=folder, environ=place.environ, log=log, timeout=600, measured=False)
        except Failed as error:
            failure = error
            continue
        return Contender(
            name="uv",
            short="uv's guide",
            label=f"uv export, uv pip install --target ({platform}), zip -qr",
            argv=argv,
            cwd=folder,
            environ=place.environ,
            prepare=clear,
            archives=[folder / "layer.zip"],
        )
    raise failure


def _script(project: Project, platform: str) -> str:
    uv = shlex.quote(tool("uv"))
    python = ["--python", project.python]
    if not _runs(f"python{project.python}"):  # the same work, without an interpreter to be fetched
        python = ["--python", sys.executable, "--python-version", project.python]
    install = ["--no-installer-metadata", "--no-compile-bytecode", "--python-platform", platform, *python]
    return " && ".join(
        (
            f"{uv} export -q --project {shlex.quote(str(project.folder))} --frozen --no-dev --no-editable "
            "-o requirements.txt",
            f"{uv} pip install -q {shlex.join(install)} --target python -r requirements.txt",
            "zip -qr layer.zip python",
        )
    )


def _runs(program: str) -> bool:
    try:
        read([program, "-c", ""])
    except Failed:
        return False
    return True


def _clear(folder: Path) -> None:
    shutil.rmtree(folder / "python", ignore_errors=True)
    (folder / "layer.zip").unlink(missing_ok=True)
