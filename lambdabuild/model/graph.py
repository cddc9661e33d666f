"""The graph of what distributions require of each other, asked what it needs, and what only boto3 does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from lambdabuild.model.requirements import normalized
from lambdabuild.model.target import Target
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from packaging.requirements import Requirement

SDK = frozenset({"boto3", "botocore", "s3transfer"})
"""The parts of the AWS SDK that only work together; every Lambda runtime brings them."""

_Nodes = dict[str, frozenset[str]]
"""Distributions with the extras that are asked of each."""


@dataclass(frozen=True, slots=True)
class SdkShare:
    """How a set of distributions relates to the SDK that the runtime brings."""

    alone: frozenset[str]
    """There for the SDK alone, its parts included."""
    shared: frozenset[str]
    """Needed by the SDK, and by others or the project as well."""
    required_by: frozenset[str] = frozenset()
    """Other distributions that require a part of the SDK."""


def sdk_share(
    direct: Iterable[str],
    requires: Mapping[str, tuple[str, ...]],
    target: Target,
    *,
    whatever_requires_it: bool = False,
) -> SdkShare:
    """What of a set is there for the SDK alone.

    ``direct`` is what the project itself requires, ``requires`` what each distribution of the set does
    (Requires-Dist). A distribution of boto3's closure stays when anything else in the set needs it, or the project
    itself names it. The SDK is never torn: when another distribution needs a part of it, all of it stays, or with
    ``whatever_requires_it`` none of it.
    """
    graph = _Graph(requires, target)
    roots = graph.nodes(direct)
    active = graph.reach(roots)
    active |= graph.reach({name: frozenset() for name in requires if name not in active})
    sdk = SDK & requires.keys()
    start = sdk if whatever_requires_it else sdk & {"boto3"}
    closure = graph.reach({name: active[name] for name in start})
    others = {name: extras for name, extras in active.items() if name not in closure}
    others |= {name: extras for name, extras in roots.items() if name in closure and name not in SDK}
    without_sdk = _Graph({**requires, **dict.fromkeys(SDK, ())}, target)
    needed = without_sdk.reach(others)
    required_by = frozenset(
        name
        for name, extras in needed.items()
        if name not in SDK and SDK & graph.nodes(requires.get(name, ()), extras).keys()
    )
    if SDK & needed.keys() and not whatever_requires_it:
        return SdkShare(frozenset(), frozenset(), required_by if sdk else frozenset())
    present, kept = closure.keys() & requires.keys(), needed.keys() - SDK
    return SdkShare(frozenset(present - kept), frozenset(present & kept), required_by if sdk else frozenset())


def closure_of(requirements: Iterable[str], requires: Mapping[str, tuple[str, ...]], target: Target) -> frozenset[str]:
    """The names of all that these requirements need, in a set of distributions."""
    graph = _Graph(requires, target)
    return frozenset(graph.reach(graph.nodes(requirements)))


@cache
def _parse(text: str) -> Requirement | None:
    """A requirement, read once for all graphs that it is part of; None for one that breaks the rules."""
    from packaging.requirements import InvalidRequirement, Requirement  # a parser: only where a graph is walked

    try:
        return Requirement(text)
    except InvalidRequirement:  # of an old upload; an installer passes over it as well
        return None


class _Graph:
    """Requirements between distributions, for one target."""

    def __init__(self, requires: Mapping[str, tuple[str, ...]], target: Target) -> None:
        self._requires = requires
        self._environment = target.marker_environment

    def nodes(self, requirements: Iterable[str], extras: frozenset[str] = frozenset()) -> _Nodes:
        """What requirements ask for, given the extras asked of the distribution that states them."""
        nodes: _Nodes = {}
        for text in requirements:
            requirement = _parse(text)
            if requirement is None:
                continue
            environments = ({**self._environment, "extra": extra} for extra in ("", *extras))
            if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
                name = normalized(requirement.name)
                nodes[name] = nodes.get(name, frozenset()) | frozenset(map(normalized, requirement.extras))
        return nodes

    def reach(self, roots: _Nodes) -> _Nodes:
        """Everything that the roots need, themselves included."""
        reached: _Nodes = {}
        todo = list(roots.items())
        while todo:
            name, extras = todo.pop()
            known = reached.get(name)
            if known is not None and extras <= known:
                continue
            reached[name] = (known or frozenset()) | extras
            todo += self.nodes(self._requires.get(name, ()), reached[name]).items()
        return reached
