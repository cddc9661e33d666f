"""Who a run is, told so that another run can see whether it is no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process, as no other one is ever told."""

    boot: str
    """Of the machine, as its kernel names it."""
    namespace: str
    """That of process ids: another container on the same machine has its own."""
    pid: int
    started: str | None
    """In the kernel's words; None where the process is no more."""

    @property
    def text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


@lru_cache(maxsize=1)
def this_run() -> Owner:
    return _owner(os.getpid())


def is_no_more(text: str) -> bool:
    """Whether the run of this text has ended, as far as can be told here: of another machine's, or one in another
    namespace, it cannot."""
    try:
        owner = Owner(**json.loads(text))
    except (TypeError, ValueError):
        return False
    here = this_run()
    return (owner.boot, owner.namespace) == (here.boot, here.namespace) and _started(owner.pid) != owner.started


def _owner(pid: int) -> Owner:
    return Owner(boot=_boot(), namespace=_namespace(), pid=pid, started=_started(pid))


def _boot() -> str:
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "kern.bootsessionuuid")
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"unknown {os.urandom(8).hex()}"  # nothing of this run is ever taken for another one's


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    if sys.platform == "darwin":
        return _output("ps", "-o", "lstart=", "-p", str(pid)) or None
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False, env={"LC_ALL": "C"}).stdout.strip()
