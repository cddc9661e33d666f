"""What a project itself requires, as its pyproject.toml says: the roots of the graph that a lock spans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambdabuild.model.needs import Locked
from lambdabuild.model.requirements import normalized


def direct_requirements(pyproject: Mapping[str, Any], locked: Locked) -> Iterator[str]:
    """The requirements (PEP 508) of the project with the extras and groups (PEP 735) that are asked for.

    Raises ExceptionGroup of packaging for groups that are malformed or missing; uv refuses them first.
    """
    project = pyproject.get("project", {})
    extras = {normalized(name): lines for name, lines in project.get("optional-dependencies", {}).items()}
    groups = pyproject.get("dependency-groups", {})
    if not locked.only_groups:
        yield from project.get("dependencies", ())
        for extra in locked.extras:
            yield from extras.get(normalized(extra), ())
    asked = (*locked.groups, *locked.only_groups)
    if asked:
        from packaging.dependency_groups import resolve_dependency_groups  # a parser: for who uses groups
    for group in asked:
        yield from resolve_dependency_groups(groups, group)
