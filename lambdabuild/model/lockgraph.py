"""The dependency graph of a uv.lock, asked one question: what does only boto3 need?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from lambdabuild.model.requirements import Pin, Selection
from lambdabuild.model.target import Target

SDK = frozenset({"boto3", "botocore", "s3transfer"})
"""The parts of the AWS SDK that only work together; every Lambda runtime brings them."""


def only_for_boto3(
    lock: Mapping[str, Any], project: str, selections: Iterable[Selection], pins: Iterable[Pin], target: Target
) -> frozenset[str]:
    """The distributions that are there for boto3 alone, boto3 included.

    A distribution of boto3's closure stays when anything else in the set needs it, or the project itself names it.
    The SDK is never torn: when another distribution needs a part of it, all of it stays.
    """
    graph = _Graph(lock, {pin.name: pin.version for pin in pins}, target)
    direct = graph.direct(canonicalize_name(project), selections)
    active = graph.reach(direct)
    if "boto3" not in active:
        return frozenset()
    closure = graph.reach({"boto3": active["boto3"]})
    roots = {name: extras for name, extras in active.items() if name not in closure}
    roots |= {name: extras for name, extras in direct.items() if name not in SDK and name in closure}
    needed = graph.reach(roots)
    if not SDK.isdisjoint(needed):
        return frozenset()
    return frozenset(closure.keys() - needed.keys())


_Nodes = dict[str, frozenset[str]]
"""Distributions with the extras that are asked of each."""


class _Graph:
    """Edges between distributions, for one target and the versions that were selected."""

    def __init__(self, lock: Mapping[str, Any], versions: Mapping[str, str], target: Target) -> None:
        self._environment = target.marker_environment
        self._packages: dict[str, Mapping[str, Any]] = {}
        for package in lock.get("package", ()):
            name = package["name"]
            if name not in versions or package.get("version") == versions[name]:
                self._packages[name] = package

    def direct(self, project: str, selections: Iterable[Selection]) -> _Nodes:
        """What the project itself names in any of the selections."""
        package = self._packages.get(project, {})
        groups, extras = package.get("dev-dependencies", {}), package.get("optional-dependencies", {})
        edges = []
        for selection in selections:
            if not selection.only_groups:
                edges += package.get("dependencies", ())
            for extra in selection.extras:
                edges += extras.get(extra, ())
            for group in (*selection.groups, *selection.only_groups):
                edges += groups.get(group, ())
        return self._nodes(edges)

    def reach(self, roots: _Nodes) -> _Nodes:
        """Everything that the roots need, themselves included."""
        reached: _Nodes = {}
        todo = list(roots.items())
        while todo:
            name, extras = todo.pop()
            new = extras - reached.get(name, frozenset())
            if name in reached and not new:
                continue
            reached[name] = reached.get(name, frozenset()) | extras
            package = self._packages.get(name, {})
            edges = [*package.get("dependencies", ())]
            for extra in extras:
                edges += package.get("optional-dependencies", {}).get(extra, ())
            todo += self._nodes(edges).items()
        return reached

    def _nodes(self, edges: Iterable[Mapping[str, Any]]) -> _Nodes:
        nodes: _Nodes = {}
        for edge in edges:
            if "marker" in edge and not Marker(edge["marker"]).evaluate(self._environment):
                continue
            nodes[edge["name"]] = nodes.get(edge["name"], frozenset()) | frozenset(edge.get("extra", ()))
        return nodes
