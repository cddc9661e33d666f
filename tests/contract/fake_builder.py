"""A builder without uv, processes or disk: wheels and rooms are dictionaries. The contract holds it, too."""

from __future__ import annotations

import importlib.util
import marshal
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from lambdabuild import uv
from lambdabuild.builders.base import (
    Builder,
    Image,
    Installation,
    InstalledFile,
    Kind,
    Outcome,
    Transformation,
    Transformed,
    Untransformed,
)
from lambdabuild.errors import BuildError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.paths import check_path
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target
from tests.wheels import Wheel, record_of

PHASE = "installing nowhere"
PYTHON = "/somewhere/bin/python"

Room = dict[str, tuple[bytes, bool]]
"""Content and whether it is executable, by path."""


class FakeBuilder(Builder):
    """Installs wheels that it finds by URL or path. Where two wheels meet the last wins, as chance has it with uv."""

    name = "fake"
    place = "nowhere"

    def __init__(
        self, wheels: Mapping[str, Wheel], *, image: Image | None = None, libraries: frozenset[str] | None = None
    ) -> None:
        self._wheels = wheels
        self._image = image
        self._libraries = libraries
        self.orders: list[Installation] = []
        """What was installed, in order."""
        self.transformed: list[list[str]] = []
        """The paths of what was transformed, in order."""
        self.open = 0
        self.cancelled = 0
        """Installations whose context was not left."""

    def make_ready(self) -> None:
        pass

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        return self._image

    def cancel(self) -> None:
        self.cancelled += 1

    def libraries(self, target: Target, *, listen: Listener) -> frozenset[str] | None:
        return self._libraries

    @contextmanager
    def install(self, order: Installation, *, listen: Listener) -> Iterator[Iterator[InstalledFile]]:
        _refuse_sdists([pin for room in order.rooms for pin in room])
        self.orders.append(order)
        self.open += 1
        try:
            rooms = [self._installed(pins, order.target, listen) for pins in order.rooms]
            yield _files(rooms)
        finally:
            self.open -= 1

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

    def _installed(self, pins: Sequence[Pin], target: Target, listen: Listener) -> Room:
        listen(Event(phase="install", text=f"installing for {target}"))
        room: Room = {".lock": (b"", False)}
        for pin in pins:
            room |= _unpacked(self._fetched(pin))
        return room

    def _fetched(self, pin: Pin) -> Wheel:
        wheel = self._wheels.get(pin.path or pin.url)
        if wheel is None:
            raise uv.failure(PHASE, unreachable(pin))
        if wheel.sha256 != pin.sha256:
            raise uv.failure(PHASE, hash_mismatch(pin, wheel.sha256))
        return wheel


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


def _files(rooms: Sequence[Room]) -> Iterator[InstalledFile]:
    for number, room in enumerate(rooms):
        for path, (content, executable) in room.items():
            check_path(path)
            yield InstalledFile(room=number, path=path, executable=executable, content=content)


def unreachable(pin: Pin) -> str:
    """What uv 0.13 says when nobody listens at a wheel's URL."""
    return (
        f"error: Failed to download `{pin.name}=={pin.version}`\n"
        f"  cause: Failed to fetch: {pin.url}\n"
        f"  cause: error sending request for url ({pin.url})\n"
        "  cause: client error (Connect)\n"
        "  cause: tcp connect error\n"
        "  cause: Connection refused (os error 111)"
    )


def hash_mismatch(pin: Pin, computed: str) -> str:
    """What uv 0.13 says of a wheel with another hash."""
    return (
        f"error: Failed to download `{pin.name}=={pin.version}`\n"
        f"  cause: Hash mismatch for `{pin.name}=={pin.version}`\n"
        "\n"
        "         Expected:\n"
        f"           sha256:{pin.sha256}\n"
        "\n"
        "         Computed:\n"
        f"           sha256:{computed}"
    )


def _unpacked(wheel: Wheel) -> Room:
    """The files that an installer makes of a wheel: its own, launchers in bin/, and a RECORD of all."""
    record = f"{wheel.dist_info}/RECORD"
    launchers = {f"bin/{name}": f"#!{PYTHON}\n# {entry}\n".encode() for name, entry in wheel.launchers.items()}
    files = {**wheel.files, **launchers}
    if launchers:
        files[record] = record_of(files, record).encode()
    return {path: (content, path in wheel.executables or path in launchers) for path, content in files.items()}


def _refuse_sdists(pins: Sequence[Pin]) -> None:
    refused = [str(pin.no_wheel) for pin in pins if pin.kind == "sdist"]
    if refused:
        raise BuildError(
            "\n".join(refused) + "\nthe fake builder installs wheels only",
            hint="build in the Lambda image, where source distributions are compiled: --builder docker",
        )
