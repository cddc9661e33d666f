"""How runs end that do not go well: what is said of each error, and what the state of the process can do to a run."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from lambdabuild.cli.failure import find_failure, wants_json
from lambdabuild.errors import ConfigError, PolicyError, Terminated
from tests.unprivileged import public_folder, run_unprivileged

PYPROJECT = '[project]\nname = "demo"\n[tool.lambdabuild.functions.api]\nhandler = "app.handler"\n'
BUILT = "  api.zip  148 B  38 B unzipped  "
ENVIRON = {"PATH": "/usr/bin:/bin"}
COMMAND = (sys.executable, "-m", "lambdabuild")
PACKAGE = (*COMMAND, "package", "--builder", "host")


def write_project(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "app.py").write_text("def handler(event, context):\n    pass\n")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project")


def run(
    command: Sequence[str | bytes | Path],
    cwd: Path,
    *,
    environ: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a run with a cache of its own."""
    cache = {"LAMBDABUILD_CACHE_DIR": str(cwd.parent / "cache"), "HOME": str(cwd.parent)}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environ if environ is not None else {**ENVIRON, **cache},
        stdout=stdout,
        stderr=stderr,
        check=False,
    )
    return done.returncode, os.fsdecode(done.stdout or b""), os.fsdecode(done.stderr or b"")


# What is said of an error


@pytest.mark.parametrize(
    ("error", "argv", "code", "status", "text"),
    [
        (ConfigError(("a", "b"), hint="c"), [], "config", 2, "error: a\nb\n  hint: c"),
        (PolicyError("a", code="collision"), [], "collision", 3, "error: a"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/y"),
            [],
            "disk-full",
            4,
            "error: /x/y: No space left on device\n  hint: free some disk space",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/y"),
            ["layer"],
            "environment",
            4,
            "error: /x/y: Permission denied\n  hint: check who may use it: ls -ld /x/y",
        ),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", b"/x"),
            [],
            "environment",
            4,
            "error: /x: Not a directory",
        ),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x"),
            ["layer", "--output", "/x/y"],
            "usage",
            2,
            "error: /x: Not a directory",
        ),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", Path("x/y")),
            ["layer", "--output=x/y"],
            "usage",
            2,
            "error: x/y: Not a directory",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "/x/y"),
            ["/x"],
            "environment",
            4,
            "error: /x/y: No such file",
        ),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "/x/y"),
            [],
            "usage",
            2,
            "error: /x/y: File name too long",
        ),
        (OSError("the line is dead"), [], "environment", 4, "error: the line is dead"),
        (TimeoutError(), [], "environment", 4, "error: TimeoutError"),
        (
            MemoryError(),
            [],
            "environment",
            4,
            "error: there is not enough memory\n  hint: close other programs, or give the machine more",
        ),
        (
            UnicodeEncodeError("utf-8", "/x/caf\udce9", 6, 7, "surrogates not allowed"),
            [],
            "usage",
            2,
            "error: '/x/caf\\udce9' is not UTF-8\n  hint: rename it",
        ),
        (KeyboardInterrupt(), [], "interrupted", 130, "interrupted"),
        (Terminated(), [], "terminated", 143, "terminated"),
    ],
)
def test_an_error(error: BaseException, argv: list[str], code: str, status: int, text: str) -> None:
    failure = find_failure(error, argv)
    assert (failure.code, failure.exit_code, failure.text) == (code, status, text)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (
            UnicodeEncodeError("ascii", "é", 0, 1, "no"),
            "UnicodeEncodeError: 'ascii' codec can't encode character '\\xe9' in position 0: no",
        ),
    ],
)
def test_anything_else_is_a_bug(error: Exception, message: str) -> None:
    failure = find_failure(error, [])
    assert (failure.code, failure.exit_code, failure.message) == ("bug", 5, message)
    assert failure.text == f"{message}\nerror: this is a bug in lambdabuild; please report it with the lines above"
    assert failure.document == {"error": {"traceback": f"{message}\n"}}


def test_json_is_wanted_where_it_is_asked_for() -> None:
    assert wants_json(["layer", "--nope", "--json"])
    assert wants_json(["layer", "--json", "--", "x"])
    assert not wants_json(["layer", "--", "--json"])
    assert not wants_json([])


@pytest.mark.parametrize(
    ("argv", "status", "known"),
    [
        (
            ["layer", "nope", "--json"],
            2,
            {"code": "usage", "message": 'no layer "nope" is configured; the layers are layer', "hint": None},
        ),
        (
            ["layer", "--json", "--nope"],
            2,
            {"code": "usage", "message": "No such option '--nope'.", "hint": "lambdabuild layer --help"},
        ),
        (
            ["validate", "--json", "pyproject.toml"],
            3,
            {
                "code": "archive-damaged",
                "message": "pyproject.toml is not a zip file: File is not a zip file",
                "hint": "build it again",
            },
        ),
    ],
)
def test_what_went_wrong_as_json(project: Path, argv: list[str], status: int, known: dict[str, Any]) -> None:
    ended, out, err = run([*COMMAND, *argv], project)
    assert ended == status
    told = json.loads(out)["error"]
    assert told["exit_code"] == status
    assert {name: told[name] for name in ("code", "message")} == {name: known[name] for name in ("code", "message")}
    assert json.loads(err.splitlines()[-1]) == {"event": "error", **told}


# What the state of the process can do


def descriptors(*, closed: Sequence[int]) -> list[str]:
    """A shell that closes these and then runs the words that follow."""
    return ["sh", "-c", f'exec "$@" {" ".join(f"{number}>&-" for number in closed)}', "sh"]


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_closed_streams(project: Path, closed: Sequence[int]) -> None:
    assert run([*descriptors(closed=closed), *PACKAGE], project)[0] == 0
    assert sorted(path.name for path in (project / "dist" / "lambda").iterdir()) == ["api.zip", "manifest.json"]
    assert run([*descriptors(closed=closed), *PACKAGE, "nope"], project)[0] == 2
    assert run([*descriptors(closed=closed), *COMMAND, "invoke", "api", "--event", "-"], project)[0] in (2, 4)


@pytest.mark.parametrize("argv", [["--json"], []])
def test_a_reader_that_leaves(project: Path, argv: list[str]) -> None:
    """Of the result, or of the progress: the build goes on, and ends as it would have."""
    for stream in ("stdout", "stderr"):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            ended, out, err = run([*PACKAGE, "--clean", *argv], project, **{stream: pipe})  # type: ignore[arg-type]
        assert ended == 0, err
        assert "Traceback" not in out + err
        assert "Exception ignored" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_result_that_cannot_be_written(project: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        assert run(PACKAGE, project, stdout=full)[::2] == (
            4,
            "reading the lock …\ncollecting sources …\nwriting archives …\n"
            "error: standard output: No space left on device\n  hint: free some disk space\n",
        )
        assert run([*PACKAGE, "--clean"], project, stderr=full)[0] == 0


def test_an_empty_environment(project: Path) -> None:
    cache = {"LAMBDABUILD_CACHE_DIR": str(project.parent / "cache")}
    ended, out, err = run(PACKAGE, project, environ=cache)
    assert (ended, BUILT in out) == (0, True), err


def test_an_encoding_without_our_signs(project: Path) -> None:
    ended, out, err = run(PACKAGE, project, environ={**ENVIRON, "HOME": str(project), "PYTHONIOENCODING": "ascii"})
    assert (ended, BUILT in out) == (0, True), err
    assert "reading the lock \\u2026\n" in err


def test_a_folder_that_was_removed(project: Path) -> None:
    program = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
    for argv in (["package"], ["layer", "--project", str(project)], ["validate"], ["verify"], ["invoke", "api"]):
        (project / "gone").mkdir()
        assert run([sys.executable, "-c", program, *COMMAND, *argv], project / "gone") == (
            4,
            "",
            "error: the current folder cannot be used: No such file or directory\n"
            "  hint: cd into a folder that is there, and try again\n",
        )


def test_paths_that_are_not_utf_8(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        write_project(odd)
    except OSError:
        pytest.skip("this file system has names of UTF-8 alone")
    ended, _, err = run(PACKAGE, odd)
    assert ended == 0, err
    plain = write_project(tmp_path / "plain")
    assert run([*PACKAGE, "--output", os.fsencode(odd / "out")], plain)[0] == 0
    assert (odd / "out" / "api.zip").read_bytes() == (odd / "dist" / "lambda" / "api.zip").read_bytes()
    assert run([*PACKAGE, "--json", "--project", os.fsencode(odd), b"x\xff"], plain)[0] == 2


IMPORTS = """
import pkgutil, sysconfig, lambdabuild
from importlib import import_module
for module in pkgutil.walk_packages(lambdabuild.__path__, "lambdabuild."):
    if "resources" not in module.name and "__main__" not in module.name:
        import_module(module.name)
from lambdabuild.cli import main
sysconfig.get_config_vars()
"""
CALL = """
for argv in {calls}:
    sys.argv = ["lambdabuild", *argv]
    try:
        main()
    except SystemExit as ended:
        print(ended.code, file=sys.__stdout__, flush=True)
"""
"""An interpreter that an ordinary user may not read has all its modules first."""


def test_folders_that_may_not_be_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    with public_folder() as folder:
        shut = write_project(folder / "shut" / "project")
        open_ = write_project(folder / "open")
        open_.chmod(0o777)
        (folder / "cache").mkdir()
        (folder / "cache").chmod(0o777)
        (folder / "shut").chmod(0)
        monkeypatch.setenv("LAMBDABUILD_CACHE_DIR", str(folder / "cache"))
        monkeypatch.setenv("HOME", str(folder))
        calls = [
            ["package", "--builder", "host", "--project", str(shut)],
            ["package", "--builder", "host", "--project", str(open_), "--output", str(shut / "out")],
            ["validate", str(shut / "a.zip")],
            ["validate", "--output", str(shut), "--project", str(open_)],
            ["invoke", "api", "--event", str(shut / "event.json"), "--project", str(open_)],
            ["verify", "--output", str(shut), "--project", str(open_)],
        ]
        told = run_unprivileged(IMPORTS, CALL.format(calls=calls))
        (folder / "shut").chmod(0o755)
    assert told.splitlines() == ["2", "2", "2", "3", "2", "3"]


def test_what_libraries_warn_of_is_not_the_users_to_read() -> None:
    program = (
        "import sys, warnings\n"
        "from lambdabuild.cli import main\n"
        "try: main()\n"
        "finally: warnings.warn('SOCKS support is missing', UserWarning)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_links_that_loop(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.lambdabuild]\nlayers.deps.requirements = "a.txt"\n')
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").symlink_to("b.txt")
    (tmp_path / "out").symlink_to("out")
    looped = "Too many levels of symbolic links"
    for argv, path in (([], tmp_path / "b.txt"), (["--output", "out"], tmp_path / "out")):
        status, _, said = run([*COMMAND, "layer", "--builder", "host", *argv], tmp_path)
        assert (status, said.splitlines()[-1]) == (2, f"error: {path}: {looped}")
