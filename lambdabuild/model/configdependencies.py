"""The keys that say which dependencies a layer or a function has: what they may hold, and that they agree."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal

from lambdabuild.model.configvalues import find_inner_path_problem, find_name_problem, find_path
from lambdabuild.model.typed import Table, kind, quote
from lambdabuild.values import dataclass

Boto3 = Literal["bundle", "runtime"]
BOTO3: tuple[Boto3, ...] = ("bundle", "runtime")

LOCK_KEYS = ("groups", "only-groups", "extras", "package")
"""What is asked of the project's uv.lock."""
SOURCE_KEYS = (*LOCK_KEYS, "requirements", "pylock")
"""All that says where dependencies come from."""
DEPENDENCY_KEYS = (*SOURCE_KEYS, "boto3")

_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")  # https://peps.python.org/pep-0751/#file-name
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
_OPTION = re.compile(r"(^|\s)-")


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyConfig:
    """Where dependencies come from: the lock's four keys, or ``requirements``, or ``pylock``; or nothing is set."""

    groups: tuple[str, ...] = ()
    """Dependency groups added to the project's dependencies."""
    only_groups: tuple[str, ...] = ()
    """Dependency groups in place of the project's dependencies; excludes ``groups`` and ``extras``."""
    extras: tuple[str, ...] = ()
    package: str | None = None
    """The member of the uv workspace that all of the above is asked of. None: unset, that is the project."""
    requirements: str | tuple[str, ...] | None = None
    """A requirements file, as a relative POSIX path, or requirements (PEP 508); ``()`` is none. None: unset."""
    pylock: str | None = None
    """A pylock.toml (PEP 751), as a relative POSIX path. None: unset."""
    boto3: Boto3 | None = None
    """Whether what only boto3 needs is packaged or left to the runtime. None: unset."""


def parse_requirements(table: Table) -> str | tuple[str, ...] | None:
    """``requirements``, which is a path, an array of requirements, or false."""
    value = table.values.get("requirements")
    if isinstance(value, list):
        return tuple(text.strip(" ") for text in table.texts("requirements", find_requirement_problem))
    if isinstance(value, str):
        return find_path(table, "requirements", find_requirements_file_problem)
    if value is True:
        table.note("true says nothing; write a path, an array of requirements, or false for none", "requirements")
    elif value is not False and "requirements" in table.values:
        table.note(f"expected a path, an array of requirements, or false, found {kind(value)}", "requirements")
    return () if value is False else None


def check_dependencies(table: Table) -> None:
    """Dependencies come from one place, and the keys that ask the lock do not contradict each other."""
    for other in ("groups", "extras"):
        # As in uv: nothing of the project itself is installed beside --only-group.
        if table.values.get("only-groups") and table.values.get(other):
            table.note(f"replaces the project's dependencies, so it cannot stand beside {other}", "only-groups")
    given = [key for key in ("requirements", "pylock") if key in table.values]
    given += [key for key in LOCK_KEYS if table.values.get(key)]
    if given and given[0] not in LOCK_KEYS and len(given) > 1:
        table.note(f"cannot stand beside {', '.join(given[1:])}; dependencies come from one place", given[0])


def find_requirement_problem(line: str) -> str | None:
    """https://packaging.python.org/en/latest/specifications/dependency-specifiers/"""
    text, shown = line.strip(" "), _shown(line)
    if not text.isprintable():  # a line break would begin another line of a requirements file
        return f"{shown} has a control character in it"
    if text.startswith("-"):
        return f"{shown} is an option; options stand in a requirements file: requirements = {quote('PATH')}"
    if _URL.match(text):
        return f"{shown} has no name; write {_shown(f'NAME @ {text}')}"
    from packaging.requirements import InvalidRequirement, Requirement  # a parser: for who writes requirements

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        if _OPTION.search(text):
            return f"{shown} has an option in it; options stand in a requirements file: requirements = {quote('PATH')}"
        return f"{shown} is not a requirement; write it like {quote('requests>=2')}"
    return find_name_problem(requirement.name)


def find_requirements_file_problem(path: str) -> str | None:
    """A file of the project; what can only have been meant as a requirement is told apart."""
    if _URL.match(path):
        return f"{_shown(path)} is a URL; expected a path inside the project"
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(path)
    except InvalidRequirement:
        return find_inner_path_problem(path)
    if requirement.specifier or requirement.url or requirement.extras or requirement.marker:
        return f"{_shown(path)} is a requirement and not a path; write [{_shown(path)}]"
    return find_inner_path_problem(path)


def find_pylock_problem(path: str) -> str | None:
    """A file of the project with a name that PEP 751 gives to locks."""
    problem = find_inner_path_problem(path)
    if not problem and not _PYLOCK.fullmatch(PurePosixPath(path).name):
        return f"{quote(path)} is not a lock of PEP 751, which is called pylock.toml or pylock.NAME.toml"
    return problem


def _shown(text: str) -> str:
    """Quoted, without the credentials of URLs."""
    return quote(_USERINFO.sub("", text))
