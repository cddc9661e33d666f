"""The process's environment: the only door to ``os.environ``, and the Python at hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

READER = ".".join(map(str, sys.version_info[:2]))
"""Which code can be read, and so what evidence is in it, depends on the Python that reads."""


def environment() -> Mapping[str, str]:
    """A copy of the process's environment."""
    return dict(os.environ)
