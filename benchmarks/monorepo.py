"""Generates a project of N functions over M dependency groups, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

POOL = (
    *("attrs", "cachetools", "certifi", "charset-normalizer", "click", "h11", "idna", "iniconfig", "itsdangerous"),
    *("jmespath", "markupsafe", "more-itertools", "packaging", "platformdirs", "pyjwt", "pyyaml", "six", "sniffio"),
    *("sortedcontainers", "tenacity", "toolz", "typing-extensions", "urllib3", "wrapt"),
)
"""Small distributions, most of them needing no other."""
EACH = 3
"""Distributions in a group."""
MODULES = ("handler", "models", "rules", "store", "views")
"""Source files of a function."""
_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Monorepo:
    """How large the project is."""

    functions: int
    groups: int = 5
    python: str = "3.13"

    def function(self, number: int) -> str:
        return f"fn-{number:04}"

    def group(self, number: int) -> str:
        """The group of a function, and the layer that is made of it."""
        return f"group-{number % self.groups:02}"

    def folder(self, number: int) -> str:
        return f"functions/fn_{number:04}"


def files(repo: Monorepo) -> Iterator[tuple[str, str]]:
    """Path and text of every file. Raises ValueError for a project without functions or groups."""
    if repo.functions < 1 or repo.groups < 1:
        raise ValueError("a monorepo has at least one function and one group")
    yield "pyproject.toml", _pyproject(repo)
    for number in range(repo.functions):
        for module in MODULES:
            yield f"{repo.folder(number)}/{module}.py", _module(repo.function(number), module)


def write(repo: Monorepo, folder: Path) -> None:
    """Write the project into a folder."""
    for path, text in files(repo):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _pyproject(repo: Monorepo) -> str:
    groups = "".join(f"{repo.group(number)} = {_array(_members(number))}\n" for number in range(repo.groups))
    layers = "".join(
        f'\n[tool.lambdabuild.layers.{name}]\nonly-groups = ["{name}"]\n'
        for name in map(repo.group, range(repo.groups))
    )
    functions = "".join(
        f"\n[tool.lambdabuild.functions.{repo.function(number)}]\n"
        f'handler = "{repo.folder(number)}::handler.handler"\n'
        f'only-groups = ["{repo.group(number)}"]\nlayers = ["{repo.group(number)}"]\n'
        for number in range(repo.functions)
    )
    return (
        f'[project]\nname = "monorepo"\nversion = "0.1.0"\nrequires-python = ">=3.10"\n'
        f"\n[dependency-groups]\n{groups}"
        '\n[tool.uv]\npackage = false\ndefault-groups = []\nexclude-newer = "2026-11-01T00:00:00Z"\n'
        f'\n[tool.lambdabuild]\npython = "{repo.python}"\narchitecture = "x86_64"\n{layers}{functions}'
    )


def _members(group: int) -> list[str]:
    """Neighbours in the pool, so that some distributions are in several groups."""
    return [POOL[(2 * group + offset) % len(POOL)] for offset in range(EACH)]


def _array(values: list[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def _module(function: str, name: str) -> str:
    """A module of some 2 kB; the handler imports the others."""
    others = [other for other in MODULES if other != "handler"]
    imports = "".join(f"import {other}\n" for other in others) if name == "handler" else ""
    body = "".join(
        f"\n\ndef {name}_{line}(value):\n    return value * {line} + {len(function)}\n" for line in range(_LINES)
    )
    if name == "handler":
        body += f"\n\ndef handler(event, context):\n    return [{', '.join(f'{other}.NAME' for other in others)}]\n"
    return f'"""The {name} of {function}."""\n\n{imports}\nNAME = "{function}.{name}"\n{body}'
