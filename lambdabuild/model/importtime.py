"""Where the time of an import goes: what the interpreter's ``-X importtime`` tells, as a tree, with who brought what.

https://docs.python.org/3/using/cmdline.html#cmdoption-X
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambdabuild.model.tree import SOURCES

STANDARD_LIBRARY = "(standard library)"
RUNTIME = "(runtime)"
"""What the image brings beside the standard library: boto3, the runtime's own."""
NAMESPACE = "(namespace package)"
NOT_FOUND = "(not found)"
"""What was asked for and is not there, or was taken out again."""
_LINE = re.compile(r"import time:\s+(?P<self>\d+) \|\s+(?P<cumulative>\d+) \| (?P<indent> *)(?P<name>\S.*)")
_LAYERS, _TASK = "/opt/", "/var/task/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A module that was imported; times in microseconds."""

    name: str
    own: int
    """In the module itself."""
    cumulative: int
    """With all that it was the first to import."""
    children: tuple[Imported, ...] = ()
    owner: str = ""
    """``"pyarrow 22.0.0"``, ``"(sources)"``, or one of the constants here."""

    def walk(self) -> Iterator[Imported]:
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What the modules of one owner took, without those that they imported of others."""

    owner: str
    own: int
    modules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The import of a handler's module."""

    archive: str
    handler: str
    target: str
    modules: tuple[Imported, ...]
    """The packages that it is in, the outermost first, and it."""

    @property
    def total(self) -> int:
        """Microseconds."""
        return sum(module.cumulative for module in self.modules)

    def walk(self) -> Iterator[Imported]:
        for module in self.modules:
            yield from module.walk()

    def totals(self) -> tuple[Total, ...]:
        """By owner, the largest first."""
        own: dict[str, int] = {}
        count: dict[str, int] = {}
        for module in self.walk():
            own[module.owner] = own.get(module.owner, 0) + module.own
            count[module.owner] = count.get(module.owner, 0) + 1
        totals = (Total(owner=owner, own=own[owner], modules=count[owner]) for owner in own)
        return tuple(sorted(totals, key=lambda total: (-total.own, total.owner)))


def parse_importtime(text: str) -> tuple[Imported, ...]:
    """The tree of modules; anything else in the text is left out.

    A module's line comes after those of the modules that it imported, which are indented by two more blanks.
    """
    waiting: dict[int, list[Imported]] = {}
    for line in text.splitlines():
        match = _LINE.search(line)
        if match is None:
            continue
        depth = len(match["indent"]) // 2
        children = [child for deeper in sorted(waiting) if deeper > depth for child in waiting.pop(deeper)]
        module = Imported(
            name=match["name"].rstrip(),
            own=int(match["self"]),
            cumulative=int(match["cumulative"]),
            children=tuple(children),
        )
        waiting.setdefault(depth, []).append(module)
    return tuple(module for depth in sorted(waiting) for module in waiting[depth])


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who brought the modules of a function and its layers."""

    layers: Mapping[str, str]
    """Owner by module, ``google.cloud.storage`` for what is in a namespace package."""
    function: Mapping[str, str]

    def of(self, name: str, origins: Mapping[str, str | None]) -> str:
        """The owner of a module; ``origins`` has the files of those that are there."""
        if name not in origins:
            return _nearest(name, {**self.layers, **self.function}) or NOT_FOUND
        origin = origins[name]
        if origin is None:
            return NAMESPACE
        if origin.startswith(_LAYERS):
            return _nearest(name, self.layers) or SOURCES
        if origin.startswith(_TASK):
            return _nearest(name, self.function) or SOURCES
        if origin.startswith("/var/runtime/") or "/site-packages/" in origin or "/dist-packages/" in origin:
            return RUNTIME
        return STANDARD_LIBRARY


def _nearest(name: str, owners: Mapping[str, str]) -> str | None:
    while name:
        if name in owners:
            return owners[name]
        name = name.rpartition(".")[0]
    return None


def with_owners(modules: Iterable[Imported], origins: Mapping[str, str | None], owners: Owners) -> tuple[Imported, ...]:
    """The same modules, each with its owner."""
    return tuple(
        replace(
            module,
            owner=owners.of(module.name, origins),
            children=with_owners(module.children, origins, owners),
        )
        for module in modules
    )


def profile_text(profile: Profile, *, most: int) -> list[str]:
    """A table of the modules that took longest, and one of the owners."""
    modules = sorted(profile.walk(), key=lambda module: -module.cumulative)
    count = len(modules)
    rows = [("cumulative", "self", "module", "distribution")]
    rows += [(_ms(one.cumulative), _ms(one.own), one.name, one.owner) for one in modules[:most]]
    lines = _columns(rows)
    if count > most:
        lines.append(f"  … and {count - most} more")
    rows = [("self", "modules", "distribution", "")]
    rows += [(_ms(total.own), str(total.modules), total.owner, "") for total in profile.totals()]
    counted = f"{count} module" + "s" * (count != 1)
    summary = f"{profile.handler} of {profile.archive}: {_ms(profile.total)} for {counted}, {profile.target}"
    return [*lines, "", *_columns(rows), "", summary]


def _columns(rows: list[tuple[str, str, str, str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"  {first:>{widths[0]}}  {second:>{widths[1]}}  {third:<{widths[2]}}  {fourth}".rstrip()
        for first, second, third, fourth in rows
    ]


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1000:.1f} ms"


def profile_document(profile: Profile) -> dict[str, Any]:
    """For JSON; times in seconds."""
    return {
        "path": profile.archive,
        "handler": profile.handler,
        "seconds": profile.total / 1_000_000,
        "distributions": [
            {"name": total.owner, "self_seconds": total.own / 1_000_000, "modules": total.modules}
            for total in profile.totals()
        ],
        "modules": [_module_document(module) for module in profile.modules],
    }


def _module_document(module: Imported) -> dict[str, Any]:
    return {
        "name": module.name,
        "distribution": module.owner,
        "self_seconds": module.own / 1_000_000,
        "cumulative_seconds": module.cumulative / 1_000_000,
        "imports": [_module_document(child) for child in module.children],
    }
