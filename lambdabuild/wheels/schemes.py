"""Where the members of a wheel go: to the root of the target, or by the schemes of its ``.data`` folder.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/#the-data-directory; the folders are
those of ``uv pip install --target``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from lambdabuild.wheels.names import LONGEST_COMPONENT, refusal

SCRIPTS = "bin/"
_RESERVED = re.compile(r"(?:python|pypy)w?(?:\d+(?:\.\d+)?t?)?(?:\.\w+)?", re.IGNORECASE)
"""Names under which a script would stand in for the interpreter."""
_VERSIONED_PIP = re.compile(r"bin/pip3\.\d+")
_WRAPPERS = (".exe", "-script.py", ".pya")
"""What setuptools appends to the name of an entry point, for scripts that launchers take the place of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A member that is installed: where, and whether as one of the wheel's scripts."""

    path: str
    script: bool = False


def place(
    names: Iterable[str], *, dist_info: str, distribution: str, launchers: Collection[str], wheel: str
) -> Mapping[str, Placed]:
    """Where each member is installed; a script for which there is a launcher is not.

    ``launchers`` are the names of entry points. Raises PolicyError where two would lie at one path.
    """
    data = dist_info.removesuffix("dist-info") + "data/"
    placed: dict[str, Placed] = {}
    taken = {SCRIPTS + name: f"the launcher of {name}" for name in launchers}
    for name in names:
        one = _placed(name, data, distribution, wheel) if name.startswith(data) else Placed(path=name)
        if one.script and _is_wrapper(one.path.removeprefix(SCRIPTS), launchers):
            continue
        top = one.path.partition("/")[0]
        if name.startswith(data) and (f"{top}/" == data or (top.endswith(".dist-info") and top != dist_info)):
            raise refusal(wheel, f"would be installed to {one.path}, which belongs to no file of this wheel", name)
        if "pip3" in launchers and _VERSIONED_PIP.fullmatch(one.path):
            raise refusal(wheel, "goes where installers put a launcher of pip3", name)
        other = taken.setdefault(one.path, name)
        if other != name:
            raise refusal(wheel, f"goes to the same path as {other}", name)
        placed[name] = one
    _check_folders(taken, wheel)
    return placed


def check_script_name(name: str, wheel: str) -> None:
    """Refuse names that are no file of the scripts' folder, or the interpreter's."""
    odd = "/" in name or "\\" in name or not name.isprintable() or len(name.encode()) > LONGEST_COMPONENT
    if odd or name in ("", ".", ".."):
        raise refusal(wheel, "is the name of a script and no name of a file", name)
    if _RESERVED.fullmatch(name):
        raise refusal(wheel, "is the name of a script that would stand in for the interpreter", name)


def _placed(name: str, data: str, distribution: str, wheel: str) -> Placed:
    scheme, _, rest = name.removeprefix(data).partition("/")
    if scheme in ("purelib", "platlib", "data") and rest:
        return Placed(path=rest)
    if scheme == "headers" and rest:
        return Placed(path=f"include/{distribution}/{rest}")
    if scheme == "scripts" and rest:
        check_script_name(rest, wheel)
        return Placed(path=SCRIPTS + rest, script=True)
    raise refusal(wheel, "is of no scheme that wheels have (purelib, platlib, headers, scripts, data)", name)


def _is_wrapper(script: str, launchers: Collection[str]) -> bool:
    for suffix in _WRAPPERS:
        if script.endswith(suffix):
            return script.removesuffix(suffix) in launchers
    return script in launchers


def _check_folders(taken: Mapping[str, str], wheel: str) -> None:
    """No installed file at the path of a folder of another."""
    seen: set[str] = set()
    for path in taken:
        folder = path.rpartition("/")[0]
        while folder and folder not in seen:
            if folder in taken:
                raise refusal(wheel, f"would be a file where {path} needs a folder", taken[folder])
            seen.add(folder)
            folder = folder.rpartition("/")[0]
