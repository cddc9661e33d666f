"""Which runtime an artifact is built for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from lambdabuild.errors import Code, UsageError
from lambdabuild.model.configvalues import PLAIN_PYTHON
from lambdabuild.model.limits import Finding
from lambdabuild.model.target import Runtime, Target, find_runtime
from lambdabuild.values import dataclass

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_LIFECYCLE = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"
_NEWEST_PATCH = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The target of a project, and those of the artifacts that have their own."""

    runtimes: tuple[Runtime, ...]
    requires_python: str | None
    default: Target

    def of(self, python: str | None, architecture: str | None, *, owner: str) -> Target:
        """The default with what ``owner`` (``functions.api``) asks for in its place.

        Raises UsageError as ``choose_runtime``, with the key.
        """
        runtime = self.default.runtime
        if python is not None:
            try:
                runtime = choose_runtime(
                    self.runtimes, asked=python, version_file=None, requires_python=self.requires_python
                )
            except UsageError as error:
                raise UsageError(f'{owner}.python = "{python}": {error.message}', hint=error.hint) from None
        return Target(runtime=runtime, architecture=architecture or self.default.architecture)

    def others(self, own: Target, pythons: Sequence[str], *, owner: str) -> tuple[Target, ...]:
        """The targets of these language versions beside the one that ``owner`` is built for, which must be among them.

        Raises UsageError as ``choose_runtime``, with the key.
        """
        key = f"{owner}.compatible-runtimes"
        if pythons and own.runtime.python not in pythons:
            raise UsageError(
                f"{key}: {own.runtime.name} is missing, which the layer is built for",
                hint=f"add it, or set {owner}.python to one of them",
            )
        found = []
        for python in pythons:
            try:
                found.append(
                    choose_runtime(self.runtimes, asked=python, version_file=None, requires_python=self.requires_python)
                )
            except UsageError as error:
                raise UsageError(f"{key}: {error.message}", hint=error.hint) from None
        return tuple(replace(own, runtime=runtime) for runtime in found if runtime != own.runtime)


def choose_runtime(
    runtimes: Sequence[Runtime], *, asked: str | None, version_file: str | None, requires_python: str | None
) -> Runtime:
    """The runtime to build for: what was asked for, else ``.python-version``, else the newest that is allowed and
    no preview, or else is allowed.

    Raises UsageError when Lambda has no such runtime or the project's requires-python excludes it.
    """
    fitting = _find_fitting(runtimes, requires_python or ">=3.0")
    if asked is None and version_file is not None and find_runtime(fitting, version_file) is not None:
        asked = version_file
    if asked is None:
        if not fitting:
            raise UsageError(
                f'requires-python = "{requires_python}" allows none of Lambda\'s runtimes ({_pythons(runtimes)})',
                hint="widen requires-python in pyproject.toml",
            )
        settled = [runtime for runtime in fitting if not runtime.preview]
        return (settled or fitting)[-1]
    runtime = find_runtime(runtimes, asked)
    if runtime is None:
        raise UsageError(f"Lambda has no Python {asked} runtime", hint=f"choose one of {_pythons(runtimes)}")
    if runtime not in fitting:
        raise UsageError(
            f'python {runtime.python} is excluded by requires-python = "{requires_python}"',
            hint=f"choose one of {_pythons(fitting)}" if fitting else "widen requires-python in pyproject.toml",
        )
    return runtime


def check_lifecycle(runtime: Runtime, today: date) -> list[Finding]:
    """A warning for a runtime that AWS does not support yet, or no longer patches."""
    if runtime.preview:
        message = f"{runtime.name} is a preview: AWS may change it, and does not recommend it for production"
    elif runtime.deprecation is not None and today > runtime.deprecation:
        message = f"{runtime.name} is deprecated since {runtime.deprecation}: AWS patches it no more"
        if runtime.blocks_create and runtime.blocks_update:
            message += f", creates no function with it from {runtime.blocks_create} on"
            message += f" and updates none from {runtime.blocks_update} on"
    else:
        return []
    code: Code = "runtime-preview" if runtime.preview else "runtime-deprecated"
    return [Finding(severity="warning", code=code, message=message, hint=_LIFECYCLE)]


def _find_fitting(runtimes: Iterable[Runtime], requires_python: str) -> list[Runtime]:
    return [runtime for runtime in runtimes if fits(requires_python, runtime)]


def fits(requires_python: str, runtime: Runtime) -> bool:
    """Whether a requires-python allows a runtime; raises packaging's InvalidSpecifier for one that cannot be read."""
    plain = PLAIN_PYTHON.fullmatch(requires_python)
    if plain:
        return int(runtime.python.partition(".")[2]) >= int(plain[1])
    from packaging.specifiers import SpecifierSet

    return allows(SpecifierSet(requires_python), runtime)


def allows(requires_python: SpecifierSet, runtime: Runtime) -> bool:
    """Whether some patch release of the runtime's Python is allowed; Lambda runs the newest ones."""
    return any(requires_python.contains(f"{runtime.python}.{patch}") for patch in range(_NEWEST_PATCH))


def _pythons(runtimes: Iterable[Runtime]) -> str:
    return ", ".join(runtime.python for runtime in runtimes)
