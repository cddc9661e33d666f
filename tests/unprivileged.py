"""Programs as a user whom permissions bind: root passes over them, and tests may run as root."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

NOBODY = 65534
_DROP = f"""
import os, sys
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
"""


def run_unprivileged(imports: str, program: str, *arguments: str | Path) -> str:
    """What a Python program prints; it is an ordinary user's once its imports are done."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([imports, _DROP, program]), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def public_folder() -> Iterator[Path]:
    """A temporary folder that everyone may enter, unlike pytest's; it is emptied whatever its modes are."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            for path in (folder, *folder.rglob("*")):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o755)
