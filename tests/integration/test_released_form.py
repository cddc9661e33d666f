"""The wheel that is made from the sdist, installed elsewhere, has all that its builders need."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.released import release
from tests.wheels import wheel

PYPROJECT = """\
[project]
name = "demo"
version = "1"
requires-python = ">=3.11"

[tool.lambdabuild]
python = "3.13"

[tool.lambdabuild.functions.api]
handler = "app.handler"
requirements = ["{requirement}"]
"""


@pytest.mark.parametrize("builder", ["docker", "host"])
def test_it_builds(tmp_path: Path, environ: Mapping[str, str], builder: str) -> None:
    released, project = release(tmp_path), tmp_path / "project"
    made = wheel("greet", files={"greet.py": "WORD = 'hello'\n"})
    project.mkdir()
    (project / made.filename).write_bytes(made.data)
    (project / "app.py").write_text("import greet\ndef handler(event, context):\n    return greet.__name__\n")
    requirement = f"greet @ {(project / made.filename).as_uri()}"
    (project / "pyproject.toml").write_text(PYPROJECT.format(requirement=requirement))
    argv = [released.command, "package", "--fat", "--builder", builder]
    own = {**environ, "LAMBDABUILD_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(argv, cwd=project, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = {"docker": "docker builder, distributions", "host": "host builder, not verified, distributions"}[builder]
    assert f"{told}: 1 installed" in done.stdout
