"""The process's environment: the only door to ``os.environ``."""

from __future__ import annotations

import os
from collections.abc import Mapping


def environment() -> Mapping[str, str]:
    """A copy of the process's environment."""
    return dict(os.environ)
