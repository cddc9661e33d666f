"""The errors a user can meet, the exit code of each, and the codes by which programs tell them apart.

Every message says what happened and where (key path, file:line, distribution, phase); the hint says what to do next,
a command where there is one. One boundary, in ``lambdabuild.cli``, turns them into text and an exit status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Code = Literal[
    # errors, in the order of their exit codes
    "build-failed",
    "no-wheel",
    "out-of-memory",
    "function-failed",
    "usage",
    "config",
    "refused",
    "lock-missing",
    "lock-stale",
    "hash-mismatch",
    "collision",
    "archive-damaged",
    "environment",
    "engine-unavailable",
    "image-unavailable",
    "network",
    "login",
    "disk-full",
    "bug",
    "interrupted",
    "terminated",
    # findings
    "unzipped-size",
    "zipped-size",
    "too-many-layers",
    "empty-archive",
    "many-files",
    "misplaced-modules",
    "binary-damaged",
    "binary-machine",
    "binary-tag",
    "binary-library",
    "binary-symbols",
    "import-failed",
    "import-unmet",
    "not-compiled",
    "hidden-module",
    "duplicate-module",
    "standard-library-name",
    "stray-name",
    "case-collision",
    "runtime-name",
    "unportable-name",
    "not-packaged",
    "pth-file",
    "layer-versions",
    "sdk-shared",
    "sdk-required",
    "requirements-unused",
    "network-unused",
    "folder-passed",
    "runtime-deprecated",
    "runtime-preview",
    # notes
    "note",
    "host-builder",
    "built-elsewhere",
    "cache-unwritable",
    "left-out",
    "left-out-data",
    "ignored",
    "not-read",
    "restored",
    "not-verified",
    "changed-meanwhile",
    "not-configured",
    "replaced",
    "removed",
]
"""What happened, for programs; ``docs/errors.md`` is the table. A code that was published keeps its meaning."""


class LambdaBuildError(Exception):
    """Base of all errors that are the user's to read; anything else is a bug in lambdabuild (exit code 5)."""

    exit_code = 1
    code: Code = "build-failed"
    """Of errors for which no other is given."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: Code | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> None:
        """``document`` is what ``--json`` prints beside the error: what was found until then."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.code
        self.document = document or {}

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  hint: {self.hint}"


class BuildError(LambdaBuildError):
    """Resolution, installation or compilation failed."""

    exit_code = 1


class UsageError(LambdaBuildError):
    """The command line or the configuration asks for something that cannot be."""

    exit_code = 2
    code: Code = "usage"


class ConfigError(UsageError):
    """The configuration is wrong; ``problems`` lists every mistake, each with its place and key path."""

    code = "config"

    def __init__(self, problems: tuple[str, ...], *, hint: str | None = None) -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class PolicyError(LambdaBuildError):
    """What was built was refused: a hash, a collision, a size, a file that may not be packaged."""

    exit_code = 3
    code = "refused"


class MachineError(LambdaBuildError):
    """The machine cannot do it now: Docker, the network, the disk, a missing interpreter."""

    exit_code = 4
    code = "environment"


class ChoiceError(MachineError):
    """What somebody chose by its name is not there, so nothing else takes its place."""


class Terminated(BaseException):
    """SIGTERM arrived; raised in the main thread so that every ``with`` block cleans up.

    No error, as KeyboardInterrupt is none: what passes over a failure must not pass over this.
    """

    exit_code = 143
    code: Code = "terminated"
