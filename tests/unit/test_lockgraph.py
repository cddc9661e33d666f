"""model.lockgraph: what only boto3 needs, in locks written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from lambdabuild.model.lockgraph import only_for_boto3
from lambdabuild.model.requirements import Pin, Selection
from lambdabuild.model.target import Target
from tests.samples import pin, target

Edge = str | dict[str, Any]
PLAIN = Selection()
BOTO3 = {
    "boto3": ["botocore", "jmespath", "s3transfer"],
    "botocore": ["jmespath", "python-dateutil", "urllib3"],
    "jmespath": [],
    "python-dateutil": ["six"],
    "s3transfer": ["botocore"],
    "six": [],
    "urllib3": [],
}
ALL = frozenset(BOTO3)


def edges(names: Iterable[Edge]) -> list[dict[str, Any]]:
    return [{"name": name} if isinstance(name, str) else name for name in names]


def lock(direct: Sequence[Edge], others: dict[str, Sequence[Edge]] | None = None, **project: Any) -> dict[str, Any]:
    """A uv.lock of boto3's closure, the project "shop" with direct dependencies, and other distributions."""
    packages = [
        {"name": name, "version": "1.0", "dependencies": edges(needs)}
        for name, needs in {**BOTO3, **(others or {})}.items()
    ]
    return {"package": [{"name": "shop", "version": "0.1", "dependencies": edges(direct), **project}, *packages]}


def left_out(
    document: dict[str, Any],
    *selections: Selection,
    target: Target = target(),  # noqa: B008
    pins: Sequence[Pin] = (),
) -> frozenset[str]:
    return only_for_boto3(document, "Shop", selections or (PLAIN,), pins, target)


def test_boto3_with_all_that_it_needs() -> None:
    assert left_out(lock(["boto3"])) == ALL
    assert left_out(lock(["boto3", "requests"], {"requests": ["certifi"], "certifi": []})) == ALL


def test_no_boto3() -> None:
    assert left_out(lock(["botocore"])) == frozenset()
    assert left_out(lock([])) == frozenset()
    assert left_out({}) == frozenset()


def test_boto3_that_another_distribution_brings() -> None:
    assert left_out(lock(["tool"], {"tool": ["boto3"]})) == frozenset()


def test_what_another_distribution_needs_stays() -> None:
    powertools = {"aws-lambda-powertools": ["jmespath"]}
    assert left_out(lock(["boto3", "aws-lambda-powertools"], powertools)) == ALL - {"jmespath"}
    pandas = {"pandas": ["python-dateutil"]}
    assert left_out(lock(["boto3", "pandas"], pandas)) == ALL - {"python-dateutil", "six"}


def test_the_sdk_is_never_torn() -> None:
    assert left_out(lock(["boto3", "aiobotocore"], {"aiobotocore": ["botocore"]})) == frozenset()
    assert left_out(lock(["boto3", "smart-open"], {"smart-open": ["inner"], "inner": ["s3transfer"]})) == frozenset()


def test_what_the_project_names_itself_stays() -> None:
    assert left_out(lock(["boto3", "urllib3"])) == ALL - {"urllib3"}
    assert left_out(lock(["boto3", "python-dateutil"])) == ALL - {"python-dateutil", "six"}


def test_the_project_may_name_parts_of_the_sdk() -> None:
    assert left_out(lock(["boto3", "botocore", "s3transfer"])) == ALL


def test_extras_of_edges() -> None:
    document = lock([{"name": "boto3", "extra": ["crt"]}, "other"], {"other": [], "awscrt": []})
    boto3 = next(package for package in document["package"] if package["name"] == "boto3")
    boto3["optional-dependencies"] = {"crt": edges(["awscrt"])}
    assert left_out(document) == ALL | {"awscrt"}
    other = next(package for package in document["package"] if package["name"] == "other")
    other["optional-dependencies"] = {"fast": edges(["awscrt"])}
    assert left_out(document) == ALL | {"awscrt"}
    document["package"][0]["dependencies"][1] = {"name": "other", "extra": ["fast"]}
    assert left_out(document) == ALL


def test_an_extra_that_is_asked_later_is_followed() -> None:
    document = lock(
        ["boto3", "first", "second"], {"first": ["tool"], "second": [{"name": "tool", "extra": ["x"]}], "tool": []}
    )
    tool = next(package for package in document["package"] if package["name"] == "tool")
    tool["optional-dependencies"] = {"x": edges(["six"])}
    assert left_out(document) == ALL - {"six"}


def test_markers_of_edges() -> None:
    old = {"name": "urllib3", "marker": "python_full_version < '3.12'"}
    document = lock(["boto3", old])
    assert left_out(document, target=target("3.13")) == ALL
    assert left_out(document, target=target("3.11")) == ALL - {"urllib3"}
    arm = {"name": "boto3", "marker": "platform_machine == 'aarch64'"}
    assert left_out(lock([arm]), target=target("3.13", "x86_64")) == frozenset()
    assert left_out(lock([arm]), target=target("3.13", "arm64")) == ALL


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), frozenset()),
        (Selection(extras=("aws",)), ALL),
        (Selection(extras=("aws", "http")), ALL - {"urllib3"}),
        (Selection(groups=("cloud",)), ALL),
        (Selection(groups=("cloud",), extras=("http",)), ALL - {"urllib3"}),
        (Selection(only_groups=("cloud",)), ALL),
        (Selection(only_groups=("cloud", "dates")), ALL - {"six"}),
    ],
)
def test_extras_and_groups_of_the_project(selection: Selection, expected: frozenset[str]) -> None:
    document = lock(
        ["six"] if selection.only_groups else [],
        **{
            "optional-dependencies": {"aws": edges(["boto3"]), "http": edges(["urllib3"])},
            "dev-dependencies": {"cloud": edges(["boto3"]), "dates": edges(["six"])},
        },
    )
    assert left_out(document, selection) == expected


def test_only_groups_leave_the_projects_own_dependencies_out() -> None:
    document = lock(["boto3"], **{"dev-dependencies": {"dates": edges(["six"])}})
    assert left_out(document, Selection(only_groups=("dates",))) == frozenset()


def test_selections_of_several_layers_count_together() -> None:
    document = lock(["boto3"], **{"dev-dependencies": {"http": edges(["urllib3"])}})
    assert left_out(document, PLAIN, Selection(only_groups=("http",))) == ALL - {"urllib3"}


def test_the_version_that_was_selected_counts() -> None:
    document = lock(["boto3", "tool"], {"tool": []})
    document["package"].append({"name": "tool", "version": "2.0", "dependencies": edges(["six"])})
    assert left_out(document, pins=[pin("tool", "1.0")]) == ALL
    assert left_out(document, pins=[pin("tool", "2.0")]) == ALL - {"six"}
