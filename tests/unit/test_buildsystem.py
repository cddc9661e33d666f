"""model.buildsystem: what a pyproject.toml says of its build, or what holds where it says nothing."""

from __future__ import annotations

import re

import pytest

from lambdabuild.model.buildsystem import BuildSystem, parse_build_system, refuse_addresses


@pytest.mark.parametrize(
    ("table", "system"),
    [
        ({"requires": []}, BuildSystem(requires=())),
        (
            {"requires": ["own>=1"], "build-backend": "own.api:backend", "backend-path": ["tools", "."]},
            BuildSystem(requires=("own>=1",), backend="own.api:backend", folders=("tools", ".")),
        ),
    ],
)
def test_what_is_said(table: dict[str, object], system: BuildSystem) -> None:
    assert parse_build_system({"build-system": table}) == system


def test_what_holds_else() -> None:
    system = parse_build_system({"project": {}})
    assert (system.requires, system.backend, system.folders) == (
        ("setuptools >= 40.8.0",),
        "setuptools.build_meta:__legacy__",
        (),
    )


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ([], "[build-system] is no table with requires"),
        ({"build-backend": "own"}, "[build-system] is no table with requires"),
        ({"requires": "own"}, "build-system.requires is not an array of strings"),
        ({"requires": [1]}, "build-system.requires is not an array of strings"),
        ({"requires": ["own ="]}, "build-system.requires: 'own =' is not a requirement: "),
        ({"requires": [], "build-backend": ["own"]}, "build-system.build-backend is not the name of a module"),
        ({"requires": [], "backend-path": "."}, "build-system.backend-path is not an array of strings"),
        ({"requires": [], "backend-path": ["../.."]}, "build-system.backend-path leads out of the source tree: ../.."),
        ({"requires": [], "backend-path": ["/tmp"]}, "build-system.backend-path leads out of the source tree: /tmp"),
    ],
)
def test_what_is_wrong(table: object, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)) as error:
        parse_build_system({"build-system": table})
    assert str(error.value).startswith(problem)


def test_addresses() -> None:
    refuse_addresses(("setuptools", "wheel[extra]>=1; python_version > '3'"), "hook")
    for text in ("helper @ file:///home/me/helper", "helper @ https://example.org/helper-1.0-py3-none-any.whl"):
        with pytest.raises(ValueError) as caught:
            refuse_addresses(("setuptools", text), "hook")
        assert str(caught.value) == (
            f"hook: {text!r} names an address, and only a build that may reach the network has those fetched"
        )
