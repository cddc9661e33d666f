"""The project's lock to pins: ``uv export --locked``, and the one file of each distribution that the target takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lambdabuild import configfile, uv
from lambdabuild.errors import PolicyError
from lambdabuild.model.requirements import NoUsableWheel, Pin, Selection, select_pins
from lambdabuild.model.target import Runtime, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """uv, asked about one project."""

    project: Path
    binary: Path
    environ: Mapping[str, str]
    runtimes: Sequence[Runtime]

    def lock(self) -> None:
        """``uv lock``: writes uv.lock when it is missing or stale, and nothing otherwise."""
        done = uv.run(self.binary, uv.lock_command(), cwd=self.project, environ=self.environ)
        if done.returncode != 0:
            raise uv.failure("uv lock", done.stderr)

    def resolve(self, selection: Selection, target: Target) -> tuple[Pin, ...]:
        """The pins of a selection for a target, by name.

        Raises PolicyError for a lock that is missing or stale, NoUsableWheel for distributions that the target
        cannot have, and what ``uv.failure`` gives for anything else that uv refuses.
        """
        done = uv.run(self.binary, uv.export_command(selection), cwd=self.project, environ=self.environ)
        if done.returncode != 0:
            raise self._lock_error(done.stderr) or uv.failure("reading the lock (uv export)", done.stderr)
        document = configfile.parse_toml(done.stdout, origin="uv export")
        try:
            return select_pins(document, target, self.runtimes)
        except NoUsableWheel as error:
            newest = {name: version for name in error.names if (version := self._find_newest(name, target))}
            raise NoUsableWheel(error.refused, newest=newest) from None

    def _lock_error(self, stderr: str) -> PolicyError | None:
        hint = f"uv lock --project {self.project}   (or add --lock to this command)"
        if "Unable to find lockfile" in stderr:
            return PolicyError(f"{self.project} has no uv.lock", hint=hint)
        if "needs to be updated" in stderr:
            return PolicyError(f"{self.project}: uv.lock is older than what pyproject.toml asks for", hint=hint)
        return None

    def _find_newest(self, name: str, target: Target) -> str | None:
        """The newest version that has a wheel for the target, for a hint; None when the index does not tell."""
        done = uv.run(self.binary, uv.newest_command(name, target), cwd=self.project, environ=self.environ, stdin=name)
        version = done.stdout.strip().partition("==")[2].partition(" ")[0]
        return version or None if done.returncode == 0 else None
