"""Unpack the zip on standard input below the folder in the first argument, on all cores, with modes as they are in it.

Standard input is not closed: its first line tells how many bytes follow.
"""

from __future__ import annotations

import io
import os
import sys
import zipfile
from pathlib import Path

MOST_WORKERS = 8


def extract(data: bytes, root: str, worker: int, workers: int) -> None:
    """Write every member whose turn it is."""
    made = set()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for number, info in enumerate(archive.infolist()):
            if number % workers != worker or info.is_dir():
                continue
            if info.filename.startswith("/") or ".." in info.filename.split("/"):
                raise ValueError(f"{info.filename!r} leads out of the archive")
            path = f"{root}/{info.filename}"
            folder = path.rpartition("/")[0]
            if folder not in made:
                Path(folder).mkdir(parents=True, exist_ok=True)
                made.add(folder)
            content = archive.read(info)  # checks the CRC
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.fchmod(file, info.external_attr >> 16 & 0o777)
            with os.fdopen(file, "wb") as out:
                out.write(content)


def main() -> int:
    data = sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))
    os.umask(0o022)
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    children = []
    for worker in range(1, workers):
        child = os.fork()
        if child == 0:
            try:
                extract(data, sys.argv[1], worker, workers)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        children.append(child)
    extract(data, sys.argv[1], 0, workers)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    return int(any(statuses))


if __name__ == "__main__":
    sys.exit(main())
