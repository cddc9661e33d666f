"""A handler that imports the module which the event names, and tells how that went.

It lies beside the function, so that the runtime imports it, and it the module, with the import path of a function.
"""

from __future__ import annotations

import importlib
import importlib._bootstrap_external as external
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOTS = ("/opt/", "/var/task/")
_opened: dict[str, None] = {}
_unset: dict[tuple[str, str, int], None] = {}
_enumerated: dict[str, None] = {}
_cache_from_source = external.cache_from_source
_Environ = type(os.environ)
_OWN = ("<frozen os>", "/os.py", "<frozen _collections_abc>", "/_collections_abc.py", "/lambdabuild_probe.py")
_get, _iterate = _Environ.__getitem__, _Environ.__iter__


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Import ``event["module"]``; with ``event["watch"]`` tell which files that opens.

    Without ``event["bytecode"]`` the bytecode of artifacts is passed over, not that of the runtime. Of the environment
    it is told which variables code in artifacts asked for in vain, and where, and which files went through all of it.
    """
    _Environ.__getitem__ = _watched_get  # type: ignore[method-assign]
    _Environ.__iter__ = _watched_iterate  # type: ignore[method-assign]
    _unset.clear()
    _enumerated.clear()
    if not event["bytecode"]:
        vars(external)["cache_from_source"] = _uncached
    if event["watch"]:  # in a process of its own: an audit hook is there to stay
        sys.addaudithook(_watch)
    started, spent = time.perf_counter(), time.process_time()
    failure = None
    try:
        importlib.import_module(event["module"])
    except BaseException as error:
        failure = _describe(error)
    seconds, processor = time.perf_counter() - started, time.process_time() - spent
    if event["watch"]:
        _mapped()
    return {
        "seconds": seconds,
        "processor": processor,
        "failure": failure and failure | {"unset": list(_unset), "enumerated": list(_enumerated)},
        "opened": list(_opened),
    }


def _watched_get(environ: Any, name: str) -> str:
    try:
        return str(_get(environ, name))
    except KeyError:
        file, line = _caller()
        _unset[name, file, line] = None
        raise


def _watched_iterate(environ: Any) -> Iterator[str]:
    _enumerated[_caller()[0]] = None
    return iter(_iterate(environ))


def _caller() -> tuple[str, int]:
    """Who asks the environment: the innermost place that is not of the environment's own code, or ours."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.endswith(_OWN):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _uncached(path: str, *args: Any, **named: Any) -> str:
    """Where the bytecode of a source lies; NotImplementedError is how the import system is told: nowhere."""
    if path.startswith(ROOTS):
        raise NotImplementedError
    return str(_cache_from_source(path, *args, **named))


def _watch(event: str, args: tuple[Any, ...]) -> None:
    # https://docs.python.org/3/library/audit_events.html
    if event in ("open", "os.listdir", "os.scandir", "ctypes.dlopen", "sqlite3.connect"):
        _note(args[0])
    elif event == "import":
        _note(args[1])  # of an extension module, which is not opened as others are


def _note(path: object) -> None:
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(path, str):
        path = os.path.normpath(path)
        if path.startswith(ROOTS):
            _opened[path] = None


def _mapped() -> None:
    """The libraries that the loader took along by itself."""
    for line in Path("/proc/self/maps").read_bytes().splitlines():
        _, slash, path = line.partition(b"/")
        _note(slash + path)


def _describe(error: BaseException) -> dict[str, Any]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return {
        "type": type(error).__name__,
        "message": _text(error),
        "places": _places(error),
        "causes": [
            {
                "type": f"{type(one).__module__}.{type(one).__qualname__}",
                "message": _text(one),
                "place": places[-1] if (places := _places(one)) else None,
            }
            for one in chain
        ],
    }


def _places(error: BaseException) -> list[dict[str, Any]]:
    return [
        {"file": frame.filename, "line": frame.lineno or 0, "function": frame.name, "text": frame.line or ""}
        for frame in traceback.extract_tb(error.__traceback__)
    ]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""
