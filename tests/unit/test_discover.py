"""steps.discover: what lies beside a handler and tells what its function needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.config import FunctionConfig
from lambdabuild.model.needs import NOTHING, Needs, Required, Script
from lambdabuild.steps.discover import find_needs

SCRIPT = '# /// script\n# dependencies = ["six"]\n# ///\n\ndef handler(event, context): ...\n'
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


def needs(project: Path, handler: str, *, folder: str | None = None, source: str | None = None) -> Needs | None:
    function = FunctionConfig(name="api", handler=handler, folder=folder, source=source)
    return find_needs(project, [function]).get("api")


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
    found = Required(file="functions/users/requirements.txt")
    assert needs(project, "main.handler", folder="functions/users") == found
    assert needs(project, "handlers/main.handler", folder="functions/users") == found


def test_requirements_that_are_not_the_functions(project: Path) -> None:
    write(project, "requirements.txt")
    write(project, "src/requirements.txt")
    write(project, "src/shop/requirements.txt")
    (project / "functions" / "requirements.txt").mkdir(parents=True)
    assert needs(project, "shop.api.handler") is None
    assert needs(project, "shop/api.handler", source="src") is None
    assert needs(project, "functions/api.handler") is None


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


NO_DEPENDENCIES = '[project]\nname = "shop"\n'


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
