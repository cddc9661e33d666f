"""A builder without uv, processes or containers: what it lays down are dictionaries. The contract holds it, too."""

from __future__ import annotations

import configparser
import hashlib
import importlib.util
import marshal
import platform
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lambdabuild import uv
from lambdabuild.builders.base import (
    Builder,
    Image,
    Kind,
    Laid,
    Outcome,
    Provide,
    Transformation,
    Transformed,
    Untransformed,
    WheelBuild,
)
from lambdabuild.errors import BuildError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.target import Target
from lambdabuild.wheels.installed import LaidFile
from lambdabuild.wheels.wheelfile import WheelFile
from tests.wheels import Wheel

PHASE = "installing nowhere"
LAUNCHER = """\
#!/var/lang/bin/python{python}
# -*- coding: utf-8 -*-
import sys
from {module} import {function}
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit({function}())
"""
"""What uv 0.13 writes, in the form that a listing has it."""


class FakeBuilder(Builder):
    """Lays wheels down where it has an image, and builds what it has a wheel for."""

    name = "fake"
    place = "nowhere"

    def __init__(
        self,
        *,
        image: Image | None = None,
        libraries: frozenset[str] | None = None,
        wheels: Mapping[str, Wheel] | None = None,
        requires: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """``wheels`` are what it builds, and ``requires`` what their builds require, both by the name of the pin."""
        self._image = image
        self._libraries = libraries
        self._wheels = wheels or {}
        self._requires = requires or {}
        self.laid: list[list[list[str]]] = []
        """The distributions in each room of each installation, ``one 1.0``."""
        self.targets: list[Target] = []
        """Of each installation."""
        self.built: list[WheelBuild] = []
        """What was built, in the order in which it was ordered."""
        self.provided: dict[str, list[str]] = {}
        """The file names of the wheels that each build was given."""
        self.transformed: list[list[str]] = []
        """The paths of what was transformed, in order."""
        self.open = 0
        """Transformations whose context was not left."""
        self.cancelled = 0

    def make_ready(self) -> None:
        pass

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        return self._image

    def cancel(self) -> None:
        self.cancelled += 1

    def libraries(self, target: Target, *, listen: Listener) -> frozenset[str] | None:
        return self._libraries

    def lay_down(
        self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
    ) -> Sequence[Laid] | None:
        """Where two wheels meet the last wins, as chance has it with uv."""
        if self._image is None:
            return None
        listen(Event(phase="install", text=f"installing for {target}"))
        self.targets.append(target)
        self.laid.append([[" ".join(wheel.filename.split("-")[:2]) for wheel in room] for room in rooms])
        return [_laid(room, target.runtime.python) for room in rooms]

    def build(self, order: WheelBuild, *, provide: Provide, folder: Path, listen: Listener) -> Path:
        self.built.append(order)
        name = order.pin.name
        if name not in self._wheels:
            raise BuildError(f"{order.pin} cannot be built")
        if name in self._requires:
            self.provided[name] = sorted(wheel.filename for wheel in provide(self._requires[name]))
        path = folder / self._wheels[name].filename
        path.write_bytes(self._wheels[name].data)
        return path

    def transformer(self, kind: Kind, target: Target, *, listen: Listener) -> str:
        return f"fake {kind}"

    @contextmanager
    def transform(self, order: Transformation, *, listen: Listener) -> Iterator[Outcome]:
        """Bytecode is this interpreter's; symbols are what stands between ``[`` and ``]``, and ``BRITTLE`` breaks."""
        files = list(order.files)
        self.transformed.append([file.path for file in files if not file.beside])
        self.open += 1
        try:
            make = _compiled if order.kind == "compile" else _stripped
            made = (one for file in files if not file.beside and (one := make(file)) is not None)
            yield Outcome(version=platform.python_version() if order.kind == "compile" else "fake strip", files=made)
        finally:
            self.open -= 1


def _compiled(file: Untransformed) -> Transformed:
    try:
        code = compile(file.content, f"/{file.path}", "exec", dont_inherit=True)
    except SyntaxError as error:
        return Transformed(room=file.room, path=file.path, note=f"line {error.lineno}: {error.msg}")
    head = importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + importlib.util.source_hash(file.content)
    return Transformed(room=file.room, path=file.path, content=head + marshal.dumps(code))


def _stripped(file: Untransformed) -> Transformed | None:
    content = re.sub(rb"\[.*?\]", b"", file.content)
    if content == file.content:
        return None
    if b"BRITTLE" in content:
        return Transformed(room=file.room, path=file.path, note="it would break")
    return Transformed(room=file.room, path=file.path, content=content)


def _laid(room: Sequence[WheelFile], python: str) -> dict[str, LaidFile]:
    laid = {".lock": _file(b"", False)}
    for wheel in room:
        try:
            with zipfile.ZipFile(wheel.path) as archive:
                laid |= _installed(archive, python)
        except zipfile.BadZipFile as error:
            raise uv.failure(PHASE, f"error: Failed to read `{wheel.filename}`\n  cause: {error}") from error
    return laid


def _installed(archive: zipfile.ZipFile, python: str) -> dict[str, LaidFile]:
    """The files that an installer makes of a wheel: its own, launchers in bin/, and what tells of the installer."""
    laid = {}
    entry_points = b""
    for info in archive.infolist():
        content = archive.read(info)
        laid[info.filename] = _file(content, bool(info.external_attr >> 16 & 0o100))
        folder, _, name = info.filename.partition("/")
        if name == "entry_points.txt" and folder.endswith(".dist-info"):
            entry_points = content
        if name == "RECORD":
            own = {f"{folder}/INSTALLER": b"fake", f"{folder}/REQUESTED": b"", info.filename: content + b"as installed"}
            laid |= {path: _file(text, False) for path, text in own.items()}
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read_string(entry_points.decode())
    for script, reference in parser["console_scripts"].items() if parser.has_section("console_scripts") else ():
        module, _, function = reference.partition(":")
        text = LAUNCHER.format(python=python, module=module, function=function)
        laid[f"bin/{script}"] = _file(text.encode(), True)
    return laid


def _file(content: bytes, executable: bool) -> LaidFile:
    return LaidFile(size=len(content), executable=executable, sha256=hashlib.sha256(content).hexdigest())
