"""model.runtimes: which runtime, and how long it lasts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.limits import Finding
from lambdabuild.model.runtimes import Targets, check_deprecation, choose_runtime
from tests.samples import RUNTIMES, runtime, target


def chosen(asked: str | None = None, version_file: str | None = None, requires_python: str | None = None) -> str:
    return choose_runtime(RUNTIMES, asked=asked, version_file=version_file, requires_python=requires_python).python


def test_the_newest_runtime_that_is_allowed() -> None:
    assert chosen() == RUNTIMES[-1].python
    assert chosen(requires_python=">=3.10") == RUNTIMES[-1].python
    assert chosen(requires_python=">=3.11,<3.13") == "3.12"
    assert chosen(requires_python="==3.11.*") == "3.11"
    assert chosen(requires_python="~=3.12.4") == "3.12"
    assert chosen(requires_python=">3.11.4,<3.12") == "3.11"


def test_the_version_file() -> None:
    assert chosen(version_file="3.12") == "3.12"
    assert chosen(version_file="3.12", requires_python=">=3.13") == RUNTIMES[-1].python
    assert chosen(version_file="3.9") == RUNTIMES[-1].python
    assert chosen(version_file="3.12", asked="3.13") == "3.13"


@pytest.mark.parametrize("asked", ["3.12", "python3.12"])
def test_the_runtime_that_was_asked_for(asked: str) -> None:
    assert choose_runtime(RUNTIMES, asked=asked, version_file=None, requires_python=">=3.10") == runtime("3.12")


@pytest.mark.parametrize(
    ("asked", "requires_python", "message"),
    [
        ("3.9", None, "Lambda has no Python 3.9 runtime\n  hint: choose one of 3.10, 3.11, 3.12, 3.13, 3.14"),
        ("3.13.1", None, "Lambda has no Python 3.13.1 runtime\n  hint: choose one of 3.10, 3.11, 3.12, 3.13, 3.14"),
        (
            "3.11",
            ">=3.12",
            'python 3.11 is excluded by requires-python = ">=3.12"\n  hint: choose one of 3.12, 3.13, 3.14',
        ),
        (
            "3.11",
            ">=3.15",
            'python 3.11 is excluded by requires-python = ">=3.15"\n  hint: widen requires-python in pyproject.toml',
        ),
        (
            None,
            "<3.9",
            'requires-python = "<3.9" allows none of Lambda\'s runtimes (3.10, 3.11, 3.12, 3.13, 3.14)\n'
            "  hint: widen requires-python in pyproject.toml",
        ),
    ],
)
def test_no_such_runtime(asked: str | None, requires_python: str | None, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(asked, None, requires_python)
    assert str(caught.value) == message


def test_targets_of_artifacts() -> None:
    targets = Targets(runtimes=RUNTIMES, requires_python=">=3.11", default=target("3.13", "arm64"))
    assert targets.of(None, None, owner="layers.a") == target("3.13", "arm64")
    assert targets.of("3.12", None, owner="layers.a") == target("3.12", "arm64")
    assert targets.of(None, "x86_64", owner="layers.a") == target("3.13", "x86_64")
    with pytest.raises(UsageError) as caught:
        targets.of("3.10", None, owner="layers.a")
    assert str(caught.value) == (
        'layers.a.python = "3.10": python 3.10 is excluded by requires-python = ">=3.11"\n'
        "  hint: choose one of 3.11, 3.12, 3.13, 3.14"
    )


def test_a_runtime_that_is_patched_no_more() -> None:
    old = replace(runtime("3.11"), deprecation=date(2027, 6, 30))
    assert check_deprecation(old, date(2027, 6, 30)) == []
    assert check_deprecation(old, date(2027, 7, 1)) == [
        Finding(
            severity="warning",
            message="python3.11 is deprecated since 2027-06-30: AWS patches it no more",
            hint="https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html",
        )
    ]
