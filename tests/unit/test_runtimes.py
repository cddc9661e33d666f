"""model.runtimes: which runtime, and how long it lasts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from lambdabuild.errors import UsageError
from lambdabuild.model.limits import Finding
from lambdabuild.model.runtimes import Targets, check_lifecycle, choose_runtime
from lambdabuild.model.target import Runtime
from tests.samples import RUNTIMES, runtime, target


def chosen(asked: str | None = None, version_file: str | None = None, requires_python: str | None = None) -> str:
    return choose_runtime(RUNTIMES, asked=asked, version_file=version_file, requires_python=requires_python).python


def test_the_newest_runtime_that_is_allowed() -> None:
    assert chosen() == "3.14"
    assert chosen(requires_python=">=3.10") == "3.14"
    assert chosen(requires_python=">=3.11,<3.13") == "3.12"
    assert chosen(requires_python="==3.11.*") == "3.11"
    assert chosen(requires_python="~=3.12.4") == "3.12"
    assert chosen(requires_python=">3.11.4,<3.12") == "3.11"


def test_the_version_file() -> None:
    assert chosen(version_file="3.12") == "3.12"
    assert chosen(version_file="3.12", requires_python=">=3.13") == "3.14"
    assert chosen(version_file="3.9") == "3.14"
    assert chosen(version_file="3.12", asked="3.13") == "3.13"


@pytest.mark.parametrize("asked", ["3.12", "python3.12"])
def test_the_runtime_that_was_asked_for(asked: str) -> None:
    assert choose_runtime(RUNTIMES, asked=asked, version_file=None, requires_python=">=3.10") == runtime("3.12")


@pytest.mark.parametrize(
    ("asked", "requires_python", "message"),
    [
        ("3.9", None, "Lambda has no Python 3.9 runtime\n  hint: choose one of 3.10, 3.11, 3.12, 3.13, 3.14, 3.15"),
        (
            "3.13.1",
            None,
            "Lambda has no Python 3.13.1 runtime\n  hint: choose one of 3.10, 3.11, 3.12, 3.13, 3.14, 3.15",
        ),
        (
            "3.11",
            ">=3.12",
            'python 3.11 is excluded by requires-python = ">=3.12"\n  hint: choose one of 3.12, 3.13, 3.14, 3.15',
        ),
        (
            "3.11",
            ">=3.16",
            'python 3.11 is excluded by requires-python = ">=3.16"\n  hint: widen requires-python in pyproject.toml',
        ),
        (
            None,
            "<3.9",
            'requires-python = "<3.9" allows none of Lambda\'s runtimes (3.10, 3.11, 3.12, 3.13, 3.14, 3.15)\n'
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
        "  hint: choose one of 3.11, 3.12, 3.13, 3.14, 3.15"
    )


LIFECYCLE = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"


def test_a_preview_is_only_taken_when_it_is_asked_for() -> None:
    assert chosen() == "3.14"
    assert chosen(requires_python=">=3.12") == "3.14"
    assert chosen(asked="3.15") == "3.15"
    assert chosen(version_file="3.15") == "3.15"
    assert chosen(requires_python=">=3.15") == "3.15"


def test_a_preview_is_warned_of_and_has_an_image_of_its_own() -> None:
    preview = runtime("3.15")
    assert check_lifecycle(preview, date(2026, 11, 28)) == [
        Finding(
            severity="warning",
            code="runtime-preview",
            message="python3.15 is a preview: AWS may change it, and does not recommend it for production",
            hint=LIFECYCLE,
        )
    ]
    assert (preview.image_tag, runtime("3.14").image_tag) == ("3.15-preview", "3.14")


def test_a_runtime_that_is_patched_no_more() -> None:
    old = replace(runtime("3.11"), deprecation=date(2027, 6, 30), blocks_create=None)
    assert check_lifecycle(old, date(2027, 6, 30)) == []
    assert check_lifecycle(old, date(2027, 7, 1)) == [
        Finding(
            severity="warning",
            code="runtime-deprecated",
            message="python3.11 is deprecated since 2027-06-30: AWS patches it no more",
            hint=LIFECYCLE,
        )
    ]


def test_when_aws_takes_no_more_functions() -> None:
    assert check_lifecycle(runtime("3.10"), date(2026, 10, 31)) == []
    assert [finding.message for finding in check_lifecycle(runtime("3.10"), date(2026, 11, 28))] == [
        "python3.10 is deprecated since 2026-10-31: AWS patches it no more, creates no function with it from "
        "2026-11-30 on and updates none from 2027-01-15 on"
    ]


@pytest.mark.parametrize("one", RUNTIMES, ids=str)
def test_the_dates_of_a_runtime_are_in_order(one: Runtime) -> None:
    if one.preview:
        assert (one.deprecation, one.blocks_create, one.blocks_update) == (None, None, None)
    else:
        assert one.deprecation and one.blocks_create and one.blocks_update
        assert one.deprecation < one.blocks_create < one.blocks_update
