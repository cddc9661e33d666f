"""What an installer laid down, held against what the wheels say. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from lambdabuild.model.segment import Segment
from lambdabuild.values import dataclass

INSTALLERS_OWN = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
"""Files of a ``.dist-info`` folder that an installer writes of itself.

https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""
_STRAY = (".lock",)
"""What uv leaves in a target folder that belongs to no distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidFile:
    """A file in the folder that distributions are installed in."""

    size: int
    executable: bool
    sha256: str
    """Empty for what is no regular file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What installing a wheel lays down."""

    distribution: str
    """``numpy 2.5.5``"""
    files: Mapping[str, LaidFile]
    """By path, without what an installer writes of itself."""


def expected(segment: Segment) -> Expected:
    """What an index says of a wheel, for the runtime that the segment is for."""
    files = {
        member.path: LaidFile(size=member.size, executable=member.mode == 0o755, sha256=member.sha256)
        for member in segment.members
        if not _is_own(member.path)
    }
    return Expected(distribution=f"{segment.name} {segment.version}", files=files)


def parse_listing(text: str, launcher: Callable[[bytes], bytes]) -> dict[str, LaidFile]:
    """The files of a listing (resources/programs/listing.py), by path; ``launcher`` gives the form that a launcher has
    in an artifact. Raises ValueError for what is no listing."""
    files = {}
    for path, size, executable, sha256, content in json.loads(text):
        file = LaidFile(size=int(size), executable=bool(executable), sha256=str(sha256))
        if content is not None:
            written = launcher(base64.b64decode(content))
            file = replace(file, size=len(written), sha256=hashlib.sha256(written).hexdigest())
        files[str(path)] = file
    return files


def find_differences(wheels: Iterable[Expected], laid: Mapping[str, LaidFile]) -> Iterator[str]:
    """What was laid down otherwise than the wheels say, a line each.

    Where two wheels bring different files to one path either may lie there: which one is no matter of a wheel.
    """
    owners: dict[str, list[tuple[str, LaidFile]]] = {}
    for wheel in wheels:
        for path, file in wheel.files.items():
            owners.setdefault(path, []).append((wheel.distribution, file))
    for path, known in owners.items():
        found = laid.get(path)
        if found is None:
            yield f"{known[0][0]}: {path} was not laid down"
        elif all(found != file for _, file in known):
            yield f"{known[0][0]}: {path} was laid down with {_other(known[0][1], found)}"
    for path in sorted(laid.keys() - owners.keys()):
        if not _is_own(path):
            yield f"{path} was laid down, and no wheel holds it"


def _is_own(path: str) -> bool:
    folder, _, name = path.partition("/")
    return path in _STRAY or (folder.endswith(".dist-info") and name in INSTALLERS_OWN)


def _other(expected: LaidFile, found: LaidFile) -> str:
    if not found.sha256:
        return "something else than a regular file"
    if found.size != expected.size:
        return f"{found.size:,} bytes in place of {expected.size:,}"
    if found.sha256 != expected.sha256:
        return f"the sha256 {found.sha256} in place of {expected.sha256}"
    return "the right to run it" if found.executable else "no right to run it"
