"""The table ``[tool.lambdabuild.build]``: how distributions without a wheel are built into one."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from lambdabuild.model.configvalues import find_name_problem
from lambdabuild.model.typed import Table

BUILD_KEYS = ("network", "repair")
_ALIKE = 0.8
"""From here on (difflib's ratio) one name is taken for another one, misspelt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """What builds may do."""

    network: frozenset[str] = frozenset()
    """Names, normalized, of the distributions whose builds may reach the network."""
    repair: bool = False
    """Whether shared libraries that a build links from the builder image are put beside its extensions."""

    def misspelt(self, names: Collection[str]) -> Iterator[tuple[str, str]]:
        """Names in ``network`` that are none of these, and the one of these that was probably meant."""
        for name in sorted(self.network.difference(names)):
            for near in difflib.get_close_matches(name, sorted(names), n=1, cutoff=_ALIKE):
                yield name, near


def parse_build(table: Table) -> BuildConfig:
    table.note_unknown(BUILD_KEYS)
    network = table.texts("network", find_name_problem)
    return BuildConfig(network=frozenset(map(canonicalize_name, network)), repair=table.find_flag("repair") or False)
