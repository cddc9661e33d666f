"""What is told of a program that failed: the end of what it said, and where the whole lies."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from lambdabuild.errors import BuildError
from lambdabuild.model.requirements import Pin

KeepLog = Callable[[str, str], "Path | None"]
"""Keeps a log under a name, and tells where; None where it cannot."""

_UNREACHABLE = (
    *("Temporary failure in name resolution", "Name or service not known", "Name does not resolve"),  # libc
    *("Network is unreachable", "Could not resolve host", "Couldn't resolve host"),  # sockets, curl and git
    *("failed to lookup address information", "dns error", "dial tcp: lookup"),  # Rust, Go
    *("NameResolutionError", "NewConnectionError", "UnknownHostException", "ENOTFOUND", "EAI_AGAIN"),
    "No internet connection",
)
"""What programs say that do not reach the network."""


def no_log(name: str, text: str) -> None:
    """Keeps nothing."""


def last_lines(text: str, most: int = 40) -> str:
    """The end of a program's output, indented, for a message."""
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-most:])


def build_failure(pin: Pin, said: str, *, keep_log: KeepLog, place: str = "", offline: bool = False) -> BuildError:
    """The error for a distribution that could not be built ``place`` (" in the builder image"), or not ``offline``."""
    log = keep_log(re.sub(r"[^\w.+-]", "-", f"{pin.name}-{pin.version or pin.commit or 'folder'}"), said)
    told = last_lines(said) + (f"\n  the whole log: {log}" if log is not None else "")
    if pin.no_wheel is None:
        message, hint = f"building {pin} failed:\n{told}", "mend its build, or leave it out"
    else:
        message = f"{pin.no_wheel}; building it{place} failed:\n{told}"
        hint = f"choose a version of {pin.name} that has a wheel for the target, or leave it out"
    if offline and any(sign in said for sign in _UNREACHABLE):
        hint = f'builds have no network; this one may have it with network = ["{pin.name}"] in [tool.lambdabuild.build]'
    return BuildError(message, hint=hint)
