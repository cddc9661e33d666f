"""The bytes of a build do not depend on the Python that runs lambdabuild."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.wheels import wheel

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
NEWEST_SYNTAX = "type Pair = tuple[int, int]\n"
"""Code that Python 3.11 cannot parse (PEP 695)."""
OLDEST_SYNTAX = "print 'of Python 2'\n"


def other_pythons() -> list[str]:
    """One interpreter of each other version that lambdabuild runs with, of those on PATH and those of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = {}
    for version in VERSIONS:
        candidates = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]
        for candidate in filter(None, candidates):
            program = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
            done = subprocess.run([candidate, "-c", program], capture_output=True, text=True, check=False)
            if done.returncode == 0:  # a shim of pyenv may have nothing behind it
                found.setdefault(done.stdout.strip(), str(candidate))
    found.pop(f"{sys.version_info[0]}.{sys.version_info[1]}", None)
    return list(found.values())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A set in which code of every kind asks for what slimming would leave out."""
    tested = {
        "tested/__init__.py": f"{NEWEST_SYNTAX}from .tests.kit import Kit\nfrom importlib.metadata import files\n",
        "tested/tests/__init__.py": "",
        "tested/tests/kit.py": f"{NEWEST_SYNTAX}open('a.json')\n",
        "tested/tests/a.json": "{}",
        "tested/tests/b.json": "{}",
        "tested/old.py": f"{OLDEST_SYNTAX}import tested.sub.test.old\n",
        "tested/sub/test/old.py": OLDEST_SYNTAX,
        "tested/lone.pyc": "bytecode",
    }
    plain = {"plain.py": f'x = f"{{x!r:{{"a"}}}}"\n{NEWEST_SYNTAX}', "plain-1.0.dist-info/licenses/LICENSE": "free"}
    wheels = (wheel("tested", files=tested), wheel("plain", files=plain))
    for one in wheels:
        (tmp_path / one.filename).write_bytes(one.data)
    sources = "".join(f'{one.name} = {{ path = "{one.filename}" }}\n' for one in wheels)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["tested", "plain"]\n'
        f'[tool.uv.sources]\n{sources}[tool.lambdabuild]\npython = "3.13"\n'
        '[tool.lambdabuild.functions.api]\nhandler = "api.handler"\n'
    )
    (tmp_path / "api.py").write_text("def handler(event, context): ...\n")
    subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--offline", "--project", tmp_path], check=True)
    return tmp_path


def test_every_python_makes_the_same_bytes(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    pythons = [sys.executable, *other_pythons()]
    assert len(pythons) > 1, "there is one Python on this machine, and nothing to compare"
    # What runs lambdabuild here serves the others: it is pure Python, or for the stable ABI.
    path = os.pathsep.join((str(ROOT), sysconfig.get_path("purelib")))
    made = {}
    for number, python in enumerate(pythons):
        cache = tmp_path_factory.mktemp(f"cache-{number}")
        output = tmp_path_factory.mktemp(f"out-{number}")
        argv = [python, "-m", "lambdabuild", "package", "--builder", "host", "--no-verify", "--project", project]
        environ = {**os.environ, "PYTHONPATH": path, "LAMBDABUILD_CACHE_DIR": str(cache), "UV_OFFLINE": "1"}
        done = subprocess.run([*argv, "--output", output], env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{python}: {done.stderr}"
        made[python] = {one.name: one.read_bytes() for one in sorted(output.glob("*.zip"))}
    assert list(made[sys.executable]) == ["api.zip", "layer.zip"]
    for python in pythons[1:]:
        assert made[python] == made[sys.executable], python


def test_a_cache_serves_every_python(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.mktemp("cache")
    path = os.pathsep.join((str(ROOT), sysconfig.get_path("purelib")))
    environ = {**os.environ, "PYTHONPATH": path, "LAMBDABUILD_CACHE_DIR": str(cache), "UV_OFFLINE": "1"}
    told = []
    for python in (sys.executable, *other_pythons()[:1]):
        shutil.rmtree(project / "dist", ignore_errors=True)
        argv = [python, "-m", "lambdabuild", "layer", "--builder", "host", "--no-verify", "--project", project]
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
        told.append(done.stdout.splitlines()[-1])
    assert "2 installed, 0 from the cache" in told[0]
    assert all("0 installed, 2 from the cache" in line for line in told[1:])
