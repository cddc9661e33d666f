"""Versions that version control tells: which build backends ask for them, and how they are told one instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

VARIABLES = (
    "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{}",
    "SETUPTOOLS_SCM_PRETEND_VERSION",
    "PDM_BUILD_SCM_VERSION",
    "PBR_VERSION",
    "POETRY_DYNAMIC_VERSIONING_BYPASS",
)
"""What tells a build its version, the first that is set; ``{}`` is the distribution's name."""
_COMMANDS = {
    "hatch-vcs": ("-m", "hatchling", "version"),
    "setuptools-scm": ("-m", "setuptools_scm"),
    "pdm-backend": None,
    "pbr": None,
    "poetry-dynamic-versioning": None,
}
"""Arguments of a Python that print the version and write nothing, by the distribution that tells it; None: there are
none."""
_LEGACY = ("setuptools", "setuptools-scm")
"""What a setup.py without a pyproject.toml is built with, if it takes its version from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScmVersion:
    """How the version of a source tree is told by its version control."""

    requires: tuple[str, ...]
    """What its build requires."""
    command: tuple[str, ...] | None
    files: bool
    """Whether its build also takes the files that are tracked to be its data."""


def find_scm_version(document: Mapping[str, Any], setup: str) -> ScmVersion | None:
    """How a version is told; None where it is written down. ``document`` is pyproject.toml, ``setup`` the text of
    setup.py and setup.cfg."""
    project = document.get("project")
    if isinstance(project, Mapping) and "version" not in project.get("dynamic", ()):
        return None
    requires = document.get("build-system", {}).get("requires", ())
    if not requires and "scm_version" in setup:
        requires = _LEGACY
    names = {_name(requirement) for requirement in requires}
    tool = next((tool for tool in _COMMANDS if tool in names), None)
    if tool is None:
        return None
    return ScmVersion(requires=tuple(requires), command=_COMMANDS[tool], files=tool == "setuptools-scm")


def pretended(name: str, version: str) -> dict[str, str]:
    """The variables that tell any of the backends this version of a distribution."""
    return dict.fromkeys(_variables(name), version)


def find_pretended(name: str, environ: Mapping[str, str]) -> str | None:
    """The version that the environment tells of a distribution."""
    return next((environ[variable] for variable in _variables(name) if environ.get(variable)), None)


def parse_version(text: str) -> str | None:
    """The version that a program printed as its last line."""
    lines = text.split()
    try:
        return str(Version(lines[-1])) if lines else None
    except InvalidVersion:
        return None


def _variables(name: str) -> list[str]:
    own = re.sub(r"[^A-Z0-9]+", "_", name.upper())
    return [variable.replace("{}", own) for variable in VARIABLES]


def _name(requirement: str) -> str:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""
