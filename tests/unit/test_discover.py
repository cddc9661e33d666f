"""steps.discover: what lies beside a handler and tells what its function needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.config import FunctionConfig
from lambdabuild.model.needs import NOTHING, Found, Locked, Needs, Required, Script
from lambdabuild.steps.discover import find_needs

SCRIPT = '# /// script\n# dependencies = ["six"]\n# ///\n\ndef handler(event, context): ...\n'
NO_DEPENDENCIES = '[project]\nname = "shop"\n'
PLAIN = "def handler(event, context): ...\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with dependencies."""
    write(tmp_path, "pyproject.toml", '[project]\nname = "shop"\ndependencies = ["six"]\n')
    return tmp_path


def write(project: Path, name: str, text: str | bytes = "six\n") -> None:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def found(project: Path, handler: str, *, folder: str | None = None, source: str | None = None) -> Found:
    return find_needs(project, [FunctionConfig(name="api", handler=handler, folder=folder, source=source)])


def needs(project: Path, handler: str, *, folder: str | None = None, source: str | None = None) -> Needs | None:
    return found(project, handler, folder=folder, source=source).functions.get("api")


def test_nothing_tells(project: Path) -> None:
    write(project, "functions/api.py", PLAIN)
    assert needs(project, "functions/api.handler") is None
    assert needs(project, "shop.api.handler") is None
    assert needs(project, "main.handler", folder="functions/users") is None


def test_requirements_beside_a_single_file(project: Path) -> None:
    write(project, "functions/api.py", PLAIN)
    write(project, "functions/requirements.txt")
    assert needs(project, "functions/api.handler") == Required(file="functions/requirements.txt")


def test_requirements_in_the_folder_of_a_function(project: Path) -> None:
    write(project, "functions/users/requirements.txt")
    write(project, "functions/users/handlers/requirements.txt")
    own = Required(file="functions/users/requirements.txt")
    assert needs(project, "main.handler", folder="functions/users") == own
    assert needs(project, "handlers/main.handler", folder="functions/users") == own
    (project / "functions/users/requirements.txt").unlink()
    nested = Required(file="functions/users/handlers/requirements.txt")
    assert needs(project, "handlers/main.handler", folder="functions/users") == nested


@pytest.mark.parametrize(
    ("file", "handler", "source", "places"),
    [
        ("index.py", "index.handler", None, ("",)),
        ("src/index.py", "index.handler", None, ("src/", "")),
        ("src/shop/api.py", "shop.api.handler", None, ("src/shop/", "src/", "")),
        ("shop/api/__init__.py", "shop.api.handler", None, ("shop/api/", "shop/", "")),
        ("lib/shop/api.py", "shop.api.handler", "lib", ("lib/", "lib/shop/", "")),
        ("lib/shop/api.py", "shop/api.handler", "lib", ("lib/", "lib/shop/", "")),
        ("functions/api.py", "functions/api.handler", None, ("functions/", "")),
        (
            "functions/get-user/api.py",
            "functions/get-user/api.handler",
            None,
            ("functions/get-user/", "functions/", ""),
        ),
    ],
)
def test_requirements_are_found_in_every_form(
    project: Path, file: str, handler: str, source: str | None, places: tuple[str, ...]
) -> None:
    """The nearest that there is, up to the project's folder."""
    write(project, "pyproject.toml", '[project]\nname = "shop"\n')
    write(project, file, PLAIN)
    for place in places:
        write(project, f"{place}requirements.txt")
    for place in places:
        assert needs(project, handler, source=source) == Required(file=f"{place}requirements.txt")
        (project / place / "requirements.txt").unlink()
    assert needs(project, handler, source=source) == NOTHING


def test_requirements_that_are_not_the_functions(project: Path) -> None:
    (project / "functions" / "requirements.txt").mkdir(parents=True)
    write(project, "src/requirements.txt")
    write(project, "tests/requirements.txt")
    write(project, "shop/api.py", PLAIN)
    assert needs(project, "shop.api.handler") is None
    assert needs(project, "functions/api.handler") is None


def test_a_lock_or_dependencies_beside_requirements_win(project: Path) -> None:
    write(project, "index.py", PLAIN)
    write(project, "requirements.txt")
    told = "requirements.txt is not used: the dependencies come from {}, which lies beside it"
    one = found(project, "index.handler")
    assert (one.functions, one.project, one.unused) == ({}, Locked(), {"api": told.format("pyproject.toml")})
    write(project, "uv.lock", "")
    write(project, "pyproject.toml", NO_DEPENDENCIES)
    one = found(project, "index.handler")
    assert (one.functions, one.project, one.unused) == ({}, Locked(), {"api": told.format("uv.lock")})


def test_a_folder_that_is_a_project_of_its_own(project: Path) -> None:
    write(project, "functions/users/pyproject.toml", '[project]\nname = "users"\ndependencies = ["six"]\n')
    write(project, "functions/users/requirements.txt")
    one = found(project, "main.handler", folder="functions/users")
    assert one.functions == {"api": Locked(folder="functions/users")}
    assert one.unused == {
        "api": "functions/users/requirements.txt is not used: the dependencies come from "
        "functions/users/pyproject.toml, which lies beside it"
    }
    write(project, "functions/users/pyproject.toml", "[tool.ruff]\n")
    assert needs(project, "main.handler", folder="functions/users") == Required(file="functions/users/requirements.txt")


def test_without_a_project_table_the_requirements_are_the_projects(tmp_path: Path) -> None:
    write(tmp_path, "index.py", PLAIN)
    assert found(tmp_path, "index.handler") == Found(functions={"api": NOTHING}, project=None)
    write(tmp_path, "requirements.txt")
    own = Required(file="requirements.txt")
    assert found(tmp_path, "index.handler") == Found(functions={"api": own}, project=own)
    write(tmp_path, "pyproject.toml", "[tool.lambdabuild]\n")
    assert found(tmp_path, "index.handler") == Found(functions={"api": own}, project=own)
    write(tmp_path, "pyproject.toml", NO_DEPENDENCIES)
    assert found(tmp_path, "index.handler") == Found(functions={"api": own}, project=own)


def test_a_lock_of_the_folder_above_is_nothing_to_a_folder_without_a_project_table(tmp_path: Path) -> None:
    write(tmp_path, "uv.lock", "")
    write(tmp_path, "service/index.py", PLAIN)
    assert needs(tmp_path / "service", "index.handler") == NOTHING


def test_the_lock_of_another_tool(tmp_path: Path) -> None:
    write(tmp_path, "index.py", PLAIN)
    write(tmp_path, "Pipfile.lock", "{}")
    one = found(tmp_path, "index.handler")
    assert (one.functions, one.project) == ({}, Locked())
    write(tmp_path, "functions/a/Pipfile", "")
    (tmp_path / "Pipfile.lock").unlink()
    assert needs(tmp_path, "app.handler", folder="functions/a") == Locked(folder="functions/a")
    write(tmp_path, "requirements.txt")
    assert needs(tmp_path, "index.handler") == Required(file="requirements.txt")


@pytest.mark.parametrize(
    "text",
    [
        SCRIPT,
        f"#!/usr/bin/env python3\n# a comment\n{SCRIPT}",
        f"\ufeff{SCRIPT}",
        SCRIPT.replace("\n", "\r\n"),
    ],
)
def test_a_script_brings_its_own(project: Path, text: str) -> None:
    write(project, "jobs/nightly.py", text)
    assert needs(project, "jobs/nightly.handler") == Script(file="jobs/nightly.py")


@pytest.mark.parametrize(
    "text", [PLAIN, '"""\n    # /// script\n"""\n', "# /// script-of-another-kind\n", "#/// script\n", ""]
)
def test_no_script(project: Path, text: str) -> None:
    write(project, "jobs/nightly.py", text)
    assert needs(project, "jobs/nightly.handler") is None


def test_a_script_goes_before_the_requirements_of_its_neighbours(project: Path) -> None:
    write(project, "jobs/requirements.txt")
    write(project, "jobs/nightly.py", SCRIPT)
    assert needs(project, "jobs/nightly.handler") == Script(file="jobs/nightly.py")
    write(project, "jobs/daily.py", PLAIN)
    assert needs(project, "jobs/daily.handler") == Required(file="jobs/requirements.txt")


def test_only_a_single_file_is_a_script(project: Path) -> None:
    write(project, "jobs/nightly.py", SCRIPT)
    assert needs(project, "nightly.handler", folder="jobs") is None
    assert needs(project, "jobs/nightly.handler", source=".") is None
    assert needs(project, "jobs.nightly.handler") is None


def test_a_script_that_cannot_be_read(project: Path) -> None:
    write(project, "jobs/nightly.py", b"# \xff\n")
    with pytest.raises(UsageError) as caught:
        needs(project, "jobs/nightly.handler")
    assert str(caught.value) == f"{project / 'jobs' / 'nightly.py'}: not UTF-8 (byte 2)"


@pytest.mark.parametrize("text", [NO_DEPENDENCIES, f"{NO_DEPENDENCIES}dependencies = []\n", ""])
def test_a_project_without_dependencies_and_lock_needs_nothing(project: Path, text: str) -> None:
    write(project, "pyproject.toml", text)
    assert needs(project, "shop.api.handler") == NOTHING
    write(project, "functions/requirements.txt")
    assert needs(project, "functions/api.handler") == Required(file="functions/requirements.txt")


def test_a_lock_may_tell_of_dependencies(project: Path) -> None:
    write(project, "member/pyproject.toml", NO_DEPENDENCIES)
    assert needs(project / "member", "shop.api.handler") == NOTHING
    write(project, "uv.lock", "")
    assert needs(project / "member", "shop.api.handler") is None
    write(project, "other/pyproject.toml", f'{NO_DEPENDENCIES}dynamic = ["version", "dependencies"]\n')
    (project / "uv.lock").unlink()
    assert needs(project / "other", "shop.api.handler") is None
