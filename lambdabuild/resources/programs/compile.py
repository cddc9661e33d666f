"""Compiles Python files: ``compile.py FOLDER``, run by the interpreter that the bytecode is for.

``FOLDER/jobs.json`` lists pairs: a file, relative to the folder, and the path that tracebacks are to name. Of job N it
makes ``FOLDER/out/room-0/N``, a .pyc whose source is never looked at (PEP 552), or, where that cannot be,
``FOLDER/out/room-0/N.note`` with the reason. Prints the interpreter's full version.

What marshal writes depends on what else the process knows: whether an object has one reference or more decides on a
bit of it. Therefore each file is compiled in a child of its own, forked from a process that has compiled nothing.
"""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import sys
from pathlib import Path
from types import CodeType
from typing import Any

_UNCHECKED = (0b01).to_bytes(4, "little")
_SORTS_SETS = sys.version_info >= (3, 11)


def bytecode(source: bytes, path: str) -> bytes:
    """The .pyc of a file; raises whatever the compiler raises."""
    code: CodeType = compile(source, path, "exec", dont_inherit=True)
    if not _SORTS_SETS and has_unsteady_set(code):
        raise ValueError("it holds a constant set whose order is another one in each run")
    return importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source) + marshal.dumps(code)


def has_unsteady_set(constant: Any) -> bool:
    """Whether a set is in it that this marshal writes in the order of addresses."""
    if isinstance(constant, CodeType):
        return any(map(has_unsteady_set, constant.co_consts))
    if isinstance(constant, frozenset):
        return not all(isinstance(one, (str, bytes, int, float)) for one in constant)
    return isinstance(constant, tuple) and any(map(has_unsteady_set, constant))


def work(number: int, file: str, path: str) -> None:
    """One job."""
    out = Path(f"out/room-0/{number}")
    try:
        out.write_bytes(bytecode(Path(file).read_bytes(), path))
    except SyntaxError as error:
        note(number, f"line {error.lineno}: {error.msg}")
    except (ValueError, OverflowError, RecursionError, MemoryError) as error:
        note(number, str(error) or type(error).__name__)


def note(number: int, text: str) -> None:
    """Why a job has no result."""
    Path(f"out/room-0/{number}.note").write_text(text, encoding="utf-8")


def main(folder: str) -> None:
    os.chdir(folder)
    jobs = json.loads(Path("jobs.json").read_text(encoding="utf-8"))
    Path("out/room-0").mkdir(parents=True)
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    children: dict[int, int] = {}
    sys.stdout.flush()
    for number, (file, path) in enumerate(jobs):
        if len(children) == workers:
            settle(children)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(number, file, path)
                status = 0
            finally:
                os._exit(status)
        children[child] = number
    while children:
        settle(children)
    print(sys.version.split()[0] + sys.abiflags)


def settle(children: dict[int, int]) -> None:
    """Wait for one child; the parser can run out of stack, and then it takes the process with it."""
    child, status = os.wait()
    number = children.pop(child)
    if status:
        note(number, "the compiler crashed")


if __name__ == "__main__":
    main(sys.argv[1])
