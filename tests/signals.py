"""A lambdabuild that is sent a signal at a moment that can be named: when it does a thing of some kind to some path."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = """
import os, re, sys

number, event, pattern = int(sys.argv[1]), sys.argv[2], re.compile(sys.argv[3])
del sys.argv[1:4]
sent = False


def watch(name, arguments):
    global sent
    if name == event and not sent and pattern.search(" ".join(map(str, arguments))):
        sent = True
        os.kill(os.getpid(), number)


from lambdabuild.cli import main
sys.addaudithook(watch)
try:
    main()
finally:
    print("" if sent else "no such moment", end="", file=sys.stderr)
"""
"""Moments are audit events of the interpreter: https://docs.python.org/3/library/audit_events.html"""

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
LAST = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


def run_with_signal(
    number: int, event: str, pattern: str, argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run it; the signal comes with the first event whose arguments match the pattern."""
    command = [sys.executable, "-c", PROGRAM, str(number), event, pattern, *argv]
    return subprocess.run(command, cwd=cwd, env=dict(environ), capture_output=True, text=True, timeout=120, check=False)
