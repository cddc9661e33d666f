"""The host builder: uv's cross-platform install, wheels only, no container and no code of any distribution run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from lambdabuild import uv
from lambdabuild.builders.base import Image, Installation, InstalledFile, counted, room_folder, room_pylock
from lambdabuild.errors import BuildError, PolicyError
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.paths import check_path
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target


class HostBuilder:
    """Installs on this machine, for any target, into a temporary folder."""

    name = "host"

    def __init__(
        self, *, uv: Path, environ: Mapping[str, str], scratch: Callable[[], AbstractContextManager[Path]]
    ) -> None:
        self._uv = uv
        self._environ = environ
        self._scratch = scratch

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        return None

    @contextmanager
    def install(self, order: Installation, *, listen: Listener) -> Iterator[Iterator[InstalledFile]]:
        _refuse_sdists(pin for room in order.rooms for pin in room)
        with self._scratch() as scratch:
            for room, pins in enumerate(order.rooms):
                listen(Event(phase="install", text=f"installing {counted(len(pins))} for {order.target}"))
                (scratch / room_pylock(room)).write_text(uv.format_pylock(pins), encoding="utf-8")
                (scratch / room_folder(room)).mkdir()
                argv = uv.install_command(room_pylock(room), room_folder(room), order.target, python=sys.executable)
                done = uv.run(self._uv, argv, cwd=scratch, environ=self._environ)
                if done.returncode != 0:
                    raise uv.failure("installing on the host", done.stderr)
            yield _walk(scratch, len(order.rooms))


def _walk(scratch: Path, rooms: int) -> Iterator[InstalledFile]:
    for room in range(rooms):
        root = scratch / room_folder(room)
        for path in sorted(root.rglob("*")):
            if path.is_symlink():
                raise PolicyError(f"{path.relative_to(root)} in the installed tree is a symbolic link")
            if path.is_dir():
                continue
            relative = path.relative_to(root).as_posix()
            check_path(relative)
            executable = bool(path.stat().st_mode & 0o100)
            yield InstalledFile(room=room, path=relative, executable=executable, content=path.read_bytes())


def _refuse_sdists(pins: Iterator[Pin]) -> None:
    sdists = [pin for pin in pins if pin.kind == "sdist"]
    if sdists:
        raise BuildError(
            "\n".join(str(pin.no_wheel) for pin in sdists) + "\nthe host builder installs wheels only",
            hint="build in the Lambda image, where source distributions are compiled: --builder docker",
        )
