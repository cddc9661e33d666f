"""The errors a user can meet, and the exit code of each.

Every message says what happened and where (key path, file:line, distribution, phase); the hint says what to do next,
a command where there is one. One boundary, in ``lambdabuild.cli``, turns them into text and an exit status.
"""

from __future__ import annotations


class LambdaBuildError(Exception):
    """Base of all errors that are the user's to read; anything else is a bug in lambdabuild (exit code 5)."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  hint: {self.hint}"


class BuildError(LambdaBuildError):
    """Resolution, installation or compilation failed."""

    exit_code = 1


class UsageError(LambdaBuildError):
    """The command line or the configuration asks for something that cannot be."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration is wrong; ``problems`` lists every mistake, each with its place and key path."""

    def __init__(self, problems: tuple[str, ...], *, hint: str | None = None) -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class PolicyError(LambdaBuildError):
    """What was built was refused: a hash, a collision, a size, a file that may not be packaged."""

    exit_code = 3


class MachineError(LambdaBuildError):
    """The machine cannot do it now: Docker, the network, the disk, a missing interpreter."""

    exit_code = 4


class Terminated(BaseException):
    """SIGTERM arrived; raised in the main thread so that every ``with`` block cleans up.

    No error, as KeyboardInterrupt is none: what passes over a failure must not pass over this.
    """

    exit_code = 143
