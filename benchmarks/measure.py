"""Runs a command as a whole process and takes its time and its memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 10
"""Seconds that an interrupted command has for removing what it made."""
_TAIL = 1500


class Failed(Exception):
    """A command that did not do its work; the text says why up to the first colon, which, and what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process cost, with all that it started and waited for."""

    seconds: float
    """From before the start until it was reaped."""
    cpu: float
    """Seconds of all cores, in and out of the kernel. What a container computes is not in it."""
    peak: int
    """Resident bytes of the largest single process. What a container holds is not in it."""


def run(
    argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str], log: Path, timeout: float, measured: bool = True
) -> Run:
    """Run a command to its end, its output in ``log``.

    It is a process group of its own, which is interrupted, and killed in the end, when the time is up or an exception
    (an interrupt, for one) passes through. Raises Failed when it does not end with 0 in time.
    """
    if measured:
        os.sync()  # what was written before is not paid for now
    late, over = threading.Event(), threading.Event()
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        timer = threading.Timer(timeout, _time_is_up, (process.pid, late, over))
        timer.daemon = True
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            over.set()
            timer.cancel()
            if process.returncode is None:
                _end(process)
            if late.is_set() or sys.exc_info()[0] is not None:
                _signal(process.pid, signal.SIGKILL)  # those of the group that an interrupt did not end
    if process.returncode != 0 or late.is_set():
        why = f"no end after {timeout:.0f} s" if late.is_set() else f"exit {process.returncode}"
        raise Failed(f"{why}: {' '.join(argv)[:300]}\n{_tail(log)}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds=seconds, cpu=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss * unit)


def read(argv: Sequence[str], *, environ: Mapping[str, str] | None = None, timeout: float = 60) -> str:
    """What a command prints; raises Failed when it does not end with 0 in time."""
    try:
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"no answer: {' '.join(argv)[:300]}\n{error}") from error
    if done.returncode != 0:
        raise Failed(f"exit {done.returncode}: {' '.join(argv)[:300]}\n{done.stderr[-_TAIL:]}")
    return done.stdout.strip()


def _time_is_up(group: int, late: threading.Event, over: threading.Event) -> None:
    late.set()
    _signal(group, signal.SIGINT)
    if not over.wait(GRACE):
        _signal(group, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a command that is still running, and kill it after a while."""
    _signal(process.pid, signal.SIGINT)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        _signal(process.pid, signal.SIGKILL)
        process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_TAIL:].strip()
