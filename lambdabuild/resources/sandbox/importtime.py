"""A handler that imports the module which the event names, and gives what the interpreter tells of the time it took.

It lies beside the function, so that the module is imported by the runtime's process with a function's import path. The
interpreter writes a line for each module to standard error, when PYTHONPROFILEIMPORTTIME is set; the runtime itself
imports handlers in a way that leaves them out of it.
https://docs.python.org/3/using/cmdline.html#cmdoption-X
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Import ``event["module"]``, its packages first."""
    known = set(sys.modules)
    failure = None
    said = os.memfd_create("importtime")
    stderr = os.dup(2)
    os.dup2(said, 2)
    started = time.perf_counter()
    try:
        parts = event["module"].split(".")
        for end in range(1, len(parts) + 1):
            __import__(".".join(parts[:end]))
    except BaseException as error:
        failure = traceback.format_exception_only(type(error), error)[-1].strip()
    seconds = time.perf_counter() - started
    os.dup2(stderr, 2)
    os.close(stderr)
    text = os.pread(said, os.fstat(said).st_size, 0).decode(errors="replace")
    os.close(said)
    origins = {name: _origin(module) for name, module in list(sys.modules.items()) if name not in known}
    return {"seconds": seconds, "failure": failure, "text": text, "origins": origins}


def _origin(module: Any) -> str | None:
    """The file of a module; "frozen" or "built-in" for one that has none, None for a namespace package."""
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None) or getattr(module, "__file__", None)
    return origin if isinstance(origin, str) else None
