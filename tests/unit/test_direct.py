"""model.direct: what a project itself requires, with the extras and groups that are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.errors import ExceptionGroup

from lambdabuild.model.direct import direct_requirements
from lambdabuild.model.needs import Locked

SHOP: dict[str, Any] = {
    "project": {
        "name": "shop",
        "dependencies": ["requests>=2", "six"],
        "optional-dependencies": {"Fast_JSON": ["orjson"], "idn": ["idna"]},
    },
    "dependency-groups": {
        "base": ["anyio"],
        "data": [{"include-group": "base"}, "pandas"],
    },
}


@pytest.mark.parametrize(
    ("locked", "expected"),
    [
        (Locked(), ["requests>=2", "six"]),
        (Locked(extras=("idn",)), ["requests>=2", "six", "idna"]),
        (Locked(extras=("idn", "fast-json"), groups=("base",)), ["requests>=2", "six", "idna", "orjson", "anyio"]),
        (Locked(groups=("data",)), ["requests>=2", "six", "anyio", "pandas"]),
        (Locked(only_groups=("data",)), ["anyio", "pandas"]),
        (Locked(extras=("gone",)), ["requests>=2", "six"]),
    ],
)
def test_what_is_asked_for(locked: Locked, expected: list[str]) -> None:
    assert list(direct_requirements(SHOP, locked)) == expected


def test_a_project_that_says_nothing() -> None:
    assert list(direct_requirements({}, Locked(extras=("fast",)))) == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("gone", "Dependency group 'gone' not found"),
        ("circle", "Cyclic dependency group include while resolving circle: circle includes itself"),
    ],
)
def test_a_group_that_cannot_be(name: str, problem: str) -> None:
    circle = {"dependency-groups": {"circle": [{"include-group": "circle"}]}}
    with pytest.raises(ExceptionGroup) as caught:
        list(direct_requirements(circle, Locked(groups=(name,))))
    assert [str(error) for error in caught.value.exceptions] == [problem]
