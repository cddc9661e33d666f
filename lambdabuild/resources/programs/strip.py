"""Strips shared objects: ``strip.py FOLDER``, run in an image that has the target's own binutils.

``FOLDER/jobs.json`` lists pairs: a file, relative to the folder, and the folder of its distribution, in which it finds
the libraries that it was shipped with. Of job N it makes ``FOLDER/out/room-0/N``, the file without the symbols that
nobody needs to load it; ``FOLDER/out/room-0/N.note`` where that broke it, with the reason; and neither where there is
nothing to win. Prints the version of binutils.

Libraries that were edited after they were linked are what strip breaks: it may place their segments where the loader
does not take them, or cut them. So what would lie in memory is compared, and each result loaded, where the original
can be.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

_MACHINES = {"x86_64": 62, "aarch64": 183}
_DYN = 3
_LOAD, _DYNAMIC, _INTERP, _EH_FRAME = 1, 2, 3, 0x6474E550
_READ = (_DYNAMIC, _EH_FRAME)
"""Segments that the loader and the unwinder read, whatever sections there are."""
_NOBITS = 8
_ALLOC = 2
_SECONDS = 60
"""Until loading a library is given up."""
_ENVIRON = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"} | {"LC_ALL": "C"}
"""For the system's programs: a Lambda image prefers /var/lang's libraries, with which they do not always run."""


class Segment(NamedTuple):
    """A program header of a 64-bit ELF file."""

    type: int
    flags: int
    offset: int
    address: int
    physical_address: int
    size: int
    size_in_memory: int
    align: int

    @property
    def aligned(self) -> bool:
        """Whether the loader can map it, if it is one to load."""
        return self.type != _LOAD or self.align < 2 or (self.address - self.offset) % self.align == 0

    def holds(self, address: int, length: int) -> bool:
        """Whether these addresses are filled from the file."""
        return self.address <= address and address + length <= self.address + self.size


def segments(data: bytes) -> list[Segment]:
    """The program headers; raises struct.error where they are not in the file."""
    (start,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    return [Segment(*struct.unpack_from("<IIQQQQQQ", data, start + number * size)) for number in range(count)]


def is_shared_object(data: bytes) -> bool:
    """Whether it is a shared object for this machine that holds nothing which strip does not know of."""
    if not data.startswith(b"\x7fELF\x02\x01\x01") or len(data) < 64:
        return False
    kind, machine = struct.unpack_from("<HH", data, 16)
    if kind != _DYN or machine != _MACHINES.get(os.uname().machine):
        return False
    found = segments(data)
    program = any(segment.type == _INTERP for segment in found)
    return not program and bool(sections(data)) and not any(data[end(data, found) :])


class Section(NamedTuple):
    """The first fields of a section header of a 64-bit ELF file."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int

    @property
    def length(self) -> int:
        """Bytes in the file."""
        return 0 if self.type == _NOBITS else self.size


def sections(data: bytes) -> list[Section]:
    """The section headers; raises struct.error where they are not in the file."""
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    return [Section(*struct.unpack_from("<IIQQQQ", data, start + number * size)) for number in range(count)]


def end(data: bytes, found: list[Segment]) -> int:
    """Where what the headers tell of ends; behind it may lie what a program appended to itself, and strip drops."""
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    ends = [section.offset + section.length for section in sections(data)]
    ends += [start + size * count, *(segment.offset + segment.size for segment in found)]
    return max(ends)


def find_loss(data: bytes, content: bytes) -> str | None:
    """What the loader would find in memory of the first file and not of the second."""
    loads = [segment for segment in segments(content) if segment.type == _LOAD]
    before, after = memoryview(data), memoryview(content)
    found = [(one.offset, one.address, one.length) for one in sections(data) if one.flags & _ALLOC and one.length]
    found += [(one.offset, one.address, one.size) for one in segments(data) if one.type in _READ and one.size]
    for offset, address, length in found:
        offsets = (load.offset + address - load.address for load in loads if load.holds(address, length))
        at = next(offsets, None)
        if at is None or before[offset : offset + length] != after[at : at + length]:
            return f"{length} bytes at address {address:#x} would change"
    return None


def find_refusal(path: str) -> str | None:
    """What the loader says of a file that it does not load; in a child, because a library may do anything."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(_SECONDS)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        try:
            ctypes.CDLL(path, os.RTLD_LAZY)
        except OSError as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        said = told.read().decode(errors="replace")
    status = os.waitpid(child, 0)[1]
    return said or (f"whoever loads it ends with status {status}" if status else None)


def work(number: int, file: str, folder: str) -> None:
    """One job."""
    data = Path(file).read_bytes()
    try:
        if not is_shared_object(data):
            return
    except struct.error:
        return
    out, stripped = Path(f"out/room-0/{number}"), Path(f"{number}.stripped")
    problem = strip(file, stripped)
    if problem is None:
        content = stripped.read_bytes()
        if len(content) >= len(data):
            return
        problem = find_damage(data, content, file)
    if problem is None:
        stripped.rename(out)
    else:
        plain = problem.replace(f"{os.path.realpath(folder)}/", "").replace(f"{folder}/", "")
        out.with_suffix(".note").write_text(plain, encoding="utf-8")


def strip(file: str, out: Path) -> str | None:
    """What strip says of a file that it cannot do."""
    argv = ["strip", "--strip-unneeded", "-o", str(out), file]
    ran = subprocess.run(argv, env=_ENVIRON, capture_output=True, check=False)
    return f"strip fails: {ran.stderr.decode(errors='replace').strip()}" if ran.returncode else None


def find_damage(data: bytes, content: bytes, file: str) -> str | None:
    """What is wrong with a stripped file that was right before."""
    loss = find_loss(data, content)
    if loss is not None:
        return loss
    if all(one.aligned for one in segments(data)):
        for one in segments(content):
            if not one.aligned:
                return f"its segment at address {one.address:#x} would not be aligned"
    path = Path(file).resolve()
    if find_refusal(str(path)) is not None:
        return None
    kept = path.rename(f"{path}.kept")
    try:
        path.write_bytes(content)
        said = find_refusal(str(path))
    finally:
        kept.replace(path)
    return said and f"it would not load: {said}"


def main(folder: str) -> None:
    os.chdir(folder)
    jobs = json.loads(Path("jobs.json").read_text(encoding="utf-8"))
    Path("out/room-0").mkdir(parents=True)
    version = subprocess.run(["strip", "--version"], env=_ENVIRON, capture_output=True, check=True).stdout
    distributions: dict[str, list[tuple[int, str, str]]] = {}
    for number, (file, room) in enumerate(jobs):
        distributions.setdefault(room, []).append((number, file, room))
    waiting = list(distributions.values())
    children: set[int] = set()
    failed = False
    while waiting or children:
        if waiting and len(children) < len(os.sched_getaffinity(0)):
            mine = waiting.pop()
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    for job in mine:
                        work(*job)
                    status = 0
                finally:
                    sys.stderr.flush()
                    os._exit(status)
            children.add(child)
        else:
            child, status = os.wait()
            children.remove(child)
            failed = failed or status != 0
    if failed:
        sys.exit(1)
    print(version.decode(errors="replace").splitlines()[0])


if __name__ == "__main__":
    main(sys.argv[1])
