"""uv: argument vectors as data, answers as errors, and the real binary run once or twice."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from lambdabuild import uv
from lambdabuild.errors import BuildError, LambdaBuildError, MachineError, PolicyError
from lambdabuild.model.credentials import login_hint
from lambdabuild.model.needs import Locked
from tests.samples import target


def test_lock_command() -> None:
    assert uv.lock_command() == ("lock", "--no-python-downloads")


def test_export_command() -> None:
    plain = (
        *("export", "--locked", "--format", "pylock.toml", "--no-header", "--no-emit-project"),
        *("--no-editable", "--no-default-groups", "--no-python-downloads"),
    )
    assert uv.export_command(Locked()) == plain
    some = Locked(package="member", extras=("a", "b"), groups=("c",))
    assert uv.export_command(some) == (*plain, "--package=member", "--extra=a", "--extra=b", "--group=c")
    assert uv.export_command(Locked(only_groups=("d", "e"))) == (*plain, "--only-group=d", "--only-group=e")


def test_export_script_command() -> None:
    assert uv.export_script_command("jobs/nightly.py") == (
        *("export", "--script=jobs/nightly.py", "--locked", "--format", "pylock.toml"),
        *("--no-header", "--no-python-downloads"),
    )


def test_compile_command() -> None:
    assert uv.compile_command("requirements.txt", target("3.13", "arm64")) == (
        *("pip", "compile", "--format", "pylock.toml", "--no-header", "--quiet"),
        *("--python-version", "3.13", "--python-platform", "aarch64-manylinux_2_34", "--no-python-downloads"),
        *("--", "requirements.txt"),
    )
    narrowed = uv.compile_command("-", target(), binaries=("a", "b"), refresh=True)
    assert narrowed[-6:] == ("--only-binary=a", "--only-binary=b", "--refresh", "--no-python-downloads", "--", "-")


def test_list_command() -> None:
    assert uv.list_command(target("3.11")) == (
        *("pip", "compile", "--universal", "--no-deps", "--format", "pylock.toml", "--no-header", "--quiet"),
        *("--python-version", "3.11", "--no-python-downloads", "--", "-"),
    )


@pytest.mark.parametrize(
    ("python", "architecture", "platform"),
    [
        ("3.11", "x86_64", "x86_64-manylinux_2_17"),
        ("3.13", "x86_64", "x86_64-manylinux_2_34"),
        ("3.13", "arm64", "aarch64-manylinux_2_34"),
    ],
)
def test_wheels_command(python: str, architecture: str, platform: str) -> None:
    wheels = ["wheels/one-1.0-py3-none-any.whl", "wheels/two-1.0-py3-none-any.whl"]
    assert uv.wheels_command(wheels, "out", target(python, architecture), python="/bin/python") == (
        *("--offline", "--no-config", "pip", "install", "--target", "out", "--link-mode", "hardlink"),
        *("--python", "/bin/python", "--python-version", python, "--python-platform", platform),
        *("--no-index", "--no-deps", "--no-build", "--no-installer-metadata", "--no-compile-bytecode"),
        *("--no-python-downloads", "--no-progress", "--", *wheels),
    )


def test_wheel_command() -> None:
    assert uv.wheel_command("source/tree", "out", python="/bin/python") == (
        *("build", "--wheel", "--no-sources", "--no-create-gitignore", "--python", "/bin/python", "--out-dir", "out"),
        *("--no-python-downloads", "--no-progress", "--", "source/tree"),
    )


def test_newest_command() -> None:
    assert uv.newest_command("pyarrow", target("3.11")) == (
        *("pip", "compile", "-", "--no-deps", "--only-binary=pyarrow", "--no-header", "--no-annotate", "--quiet"),
        *("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_17", "--no-python-downloads"),
    )


@pytest.mark.parametrize(
    ("stderr", "kind", "hint"),
    [
        (
            "error: Failed to download `a==1`\n  cause: Hash mismatch for `a==1`\n",
            PolicyError,
            "the file is not the one that was locked: do not use it before you know why",
        ),
        (
            "error: No interpreter found for Python >=3.13 in managed installations or search path",
            MachineError,
            "install that Python (for example with uv python install X.Y): uv reads the lock with it",
        ),
        (
            "error: Failed to fetch: `https://index.example/simple/a/`\n  Caused by: dns error",
            MachineError,
            "check the network, the proxy settings and the index (uv's UV_INDEX…)",
        ),
        (
            "error: operation timed out",
            MachineError,
            "check the network, the proxy settings and the index (uv's UV_INDEX…)",
        ),
        ("error: write failed: No space left on device (os error 28)", MachineError, "free some disk space"),
        ("error: something new", BuildError, None),
        (
            "error: Failed to fetch: `https://index.example/a`\n  cause: HTTP status client error (401 Unauthorized) "
            "for url (https://index.example/a)",
            MachineError,
            login_hint("index.example"),
        ),
    ],
)
def test_failures_by_what_uv_says(stderr: str, kind: type[LambdaBuildError], hint: str | None) -> None:
    error = uv.failure("installing", stderr)
    assert type(error) is kind
    assert error.message == "installing failed; uv says:\n  " + stderr.strip().replace("\n", "\n  ")
    assert error.hint == hint


def test_a_network_message_that_tells_of_a_hash_is_a_refused_hash() -> None:
    assert (
        type(uv.failure("installing", "error: Failed to fetch: `x`\n  cause: Hash mismatch for `a==1`")) is PolicyError
    )


def test_the_binary_of_the_dependency(tmp_path: Path) -> None:
    binary = uv.find_binary()
    version = uv.read_version(binary, environ={})
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    done = uv.run(binary, ("--version",), cwd=tmp_path, environ={})
    assert done.returncode == 0
    assert done.stdout.startswith(f"uv {version} ")
    assert done.stderr == ""


def test_a_binary_that_does_not_run(tmp_path: Path) -> None:
    binary = tmp_path / "uv"
    binary.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    binary.chmod(0o755)
    with pytest.raises(MachineError) as caught:
        uv.read_version(binary, environ={})
    assert str(caught.value) == f"{binary} does not run: broken\n  hint: pip install --force-reinstall uv"


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """A program that tells how it was run."""
    program = tmp_path / "echo"
    program.write_text(
        f"#!{sys.executable} -I\nimport os, sys\n"
        "print(sys.argv[1:], os.getcwd(), sys.stdin.read())\n"
        "print(sorted(f'{k}={v}' for k, v in os.environ.items() if k.startswith(('UV_', 'NO_', 'VIRTUAL', 'A'))))\n"
        "sys.stderr.write('ä'); sys.exit(7)\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


def test_a_run_sees_the_environment_without_what_would_change_its_meaning(echo: Path, tmp_path: Path) -> None:
    overridden = {"UV_FROZEN": "1", "UV_LOCKED": "1", "UV_NO_DEFAULT_GROUPS": "1", "UV_TARGET": "x", "VIRTUAL_ENV": "x"}
    overridden |= {"UV_DEV": "1", "UV_NO_GROUP": "x"}
    overridden |= dict.fromkeys(("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"), "/elsewhere")
    environ = {
        "UV_INDEX": "https://index.example",
        "A": "1",
        "UV_LINK_MODE": "symlink",
        "PYTHONUTF8": "1",
        **overridden,
    }
    done = uv.run(echo, ("a b", "$c"), cwd=tmp_path, environ=environ, stdin="given")
    assert done == uv.Completed(
        returncode=7,
        stdout=f"['a b', '$c'] {tmp_path} given\n"
        "['A=1', 'NO_COLOR=1', 'UV_INDEX=https://index.example', 'UV_NO_PROGRESS=1']\n",
        stderr="ä",
    )


@pytest.mark.parametrize(("shim", "wanted", "version"), [("python3.13", " 3.13", " 3.13"), ("python3", "", " VERSION")])
def test_a_python_that_does_not_run(tmp_path: Path, shim: str, wanted: str, version: str) -> None:
    """As pyenv leaves them for versions that are not chosen."""
    path = tmp_path / shim
    path.write_text(f"#!/bin/sh\necho 'pyenv: {shim}: command not found' >&2\nexit 127\n")
    path.chmod(0o755)
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.13"\n')
    (project / ".python-version").write_text("3.13\n")
    environ = {"PATH": f"{tmp_path}", "HOME": str(tmp_path), "UV_PYTHON_INSTALL_DIR": str(tmp_path / "none")}
    done = uv.run(uv.find_binary(), uv.lock_command(), cwd=project, environ=environ)
    error = uv.failure("uv lock", done.stderr)
    assert isinstance(error, MachineError)
    assert error.message.startswith(f"uv lock takes a Python{wanted}; the first that uv finds, {path}, does not run:\n")
    assert f"pyenv: {shim}: command not found" in error.message
    assert error.hint == (
        f"uv python install{wanted} brings one; with pyenv: pyenv install{version}, and pyenv local{version}; or name "
        "one that runs: UV_PYTHON=PATH"
    )
