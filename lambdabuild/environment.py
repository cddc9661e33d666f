"""The process's environment: the only door to ``os.environ``, and the Python at hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from lambdabuild.errors import MachineError

READER = ".".join(map(str, sys.version_info[:2]))
"""What is said of code depends on the Python that reads it: an older one cannot parse all of it. No bytes do."""


def environment() -> Mapping[str, str]:
    """A copy of the process's environment."""
    return dict(os.environ)


def current_folder() -> Path:
    """Where the process is; raises MachineError where that folder is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise MachineError(
            f"the current folder cannot be used: {error.strerror}", hint="cd into a folder that is there, and try again"
        ) from error


def home() -> Path:
    """The user's home; the root for a user who has none, as for one in a container."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")
