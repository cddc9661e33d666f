"""Prints what lies in a folder, in JSON: ``[path, size, executable, sha256, content]`` a file.

The content, in base64, is given of launchers: installers write the path of an interpreter into them. Of what is no
regular file the sha256 is empty. Paths have ``/``, and surrogates for bytes that are not UTF-8.
"""

import base64
import hashlib
import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor

_LAUNCHERS = "bin/"
_MOST = 100_000
"""Bytes that a launcher may have; a program in ``bin/`` that is larger is none."""


def listed(root: str, path: str) -> list[object]:
    status = os.lstat(os.path.join(root, path))
    if not stat.S_ISREG(status.st_mode):
        return [path, status.st_size, False, "", None]
    with open(os.path.join(root, path), "rb") as file:
        if path.startswith(_LAUNCHERS) and status.st_size <= _MOST:
            content = file.read()
            sha256, told = hashlib.sha256(content).hexdigest(), base64.b64encode(content).decode()
        else:
            digest = hashlib.sha256()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
            sha256, told = digest.hexdigest(), None
    return [path, status.st_size, bool(status.st_mode & 0o100), sha256, told]


def walk(root: str, prefix: str = "") -> list[str]:
    paths = []
    with os.scandir(os.path.join(root, prefix)) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                paths += walk(root, f"{path}/")
            else:
                paths.append(path)
    return paths


def main() -> None:
    root = sys.argv[1]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        json.dump(list(pool.map(lambda path: listed(root, path), sorted(walk(root)))), sys.stdout)


if __name__ == "__main__":
    main()
