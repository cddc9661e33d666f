"""What a transformation looks like where it runs: a folder with a program and its jobs, and the results beside them.

The programs are in ``resources/programs``; the docker builder runs them in a container, the host builder here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import PurePosixPath

from lambdabuild.builders.base import InstalledFile, Kind, Transformation, Transformed, room_folder
from lambdabuild.builders.trees import TreeFile

RESULTS = "out"
"""The folder of the results, which looks like that of an installation with one room."""
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
DOING: Mapping[Kind, str] = {"compile": "compiling bytecode", "strip": "stripping symbols"}
_PROGRAM = "program.py"


def program_digest(kind: Kind) -> str:
    """Changes with the program; of it, too, depends what comes out."""
    return hashlib.sha256(_program(kind)).hexdigest()[:16]


def _program(kind: Kind) -> bytes:
    return (files("lambdabuild.resources") / "programs" / f"{kind}.py").read_bytes()


class Workplace:
    """The folder of one transformation."""

    def __init__(self, order: Transformation) -> None:
        self._order = order
        self._jobs: list[tuple[int, str]] = []
        """Room and path, by number."""

    def inputs(self) -> Iterator[TreeFile]:
        """What has to lie in the folder, folders before what is in them; read once, and then ``results`` may be."""
        yield _PROGRAM, 0o400, _program(self._order.kind)
        made: set[str] = set()
        lines = []
        for number, file in enumerate(self._order.files):
            folder = f"in/{room_folder(file.room)}"
            # Libraries find each other by their paths; bytecode does not ask where its source lies.
            path = f"{folder}/{file.path}" if self._order.kind == "strip" else f"{folder}/{number}"
            for parent in reversed(PurePosixPath(path).parents[:-1]):
                if str(parent) not in made:
                    made.add(str(parent))
                    yield f"{parent}/", 0o700, b""
            yield path, 0o600, file.content
            if not file.beside:
                lines.append((path, folder if self._order.kind == "strip" else f"/{file.path}"))
                self._jobs.append((file.room, file.path))
        yield "jobs.json", 0o400, json.dumps(lines).encode()

    def command(self, python: str, folder: str) -> list[str]:
        """Runs the program on the folder; no ``-I``, which would make it deaf to PYTHONHASHSEED."""
        return [python, "-s", "-S", "-B", "-W", "ignore", f"{folder}/{_PROGRAM}", folder]

    def results(self, made: Iterable[InstalledFile]) -> Iterator[Transformed]:
        """What the files in the folder of results say."""
        for file in made:
            number, _, suffix = file.path.partition(".")
            room, path = self._jobs[int(number)]
            if suffix:
                yield Transformed(room=room, path=path, note=file.content.decode(errors="replace"))
            else:
                yield Transformed(room=room, path=path, content=file.content)
