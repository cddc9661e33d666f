"""The host builder: uv's cross-platform install, no container.

Of what comes from an index wheels only; the project's own folders and the repositories that it names are built here, as
``uv sync`` does, when that compiles nothing.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from lambdabuild import uv
from lambdabuild.builders.base import (
    FILES,
    Image,
    Installation,
    InstalledFile,
    Kind,
    Outcome,
    Transformation,
    counted,
    installed_file,
    room_folder,
    room_pylock,
)
from lambdabuild.builders.failures import KeepLog, build_failure, no_log
from lambdabuild.builders.hostbuild import refuse_binary, without_logins, write_files
from lambdabuild.builders.interpreter import find_interpreter, run_python
from lambdabuild.builders.transforms import DOING, RESULTS, Workplace, program_digest
from lambdabuild.builders.trees import build_environment, build_input, read_file
from lambdabuild.errors import BuildError
from lambdabuild.model.credentials import Credentials
from lambdabuild.model.events import Event, Listener
from lambdabuild.model.forwarding import with_pip, without_indexes
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Runtime, Target

_NOT_PORTABLE = "is not compatible with the target Python"
"""What uv says of a wheel that it built for another Python than the one that is asked for."""


class HostBuilder:
    """Installs on this machine, for any target, into a temporary folder."""

    name = "host"
    place = "host"

    def __init__(
        self,
        *,
        uv: Path,
        environ: Mapping[str, str],
        scratch: Callable[[], AbstractContextManager[Path]],
        credentials: Callable[[], Credentials] = Credentials,
        output: Path | None = None,
        keep_log: KeepLog = no_log,
    ) -> None:
        """``output`` is where builds put what they make: no part of any source tree."""
        self._output = output
        self._keep_log = keep_log
        self._read_credentials = credentials
        self._uv = uv
        self._environ = environ
        self._scratch = scratch
        self._interpreters: dict[Runtime, tuple[Path, str]] = {}

    def make_ready(self) -> None:
        pass

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        return None

    @contextmanager
    def install(self, order: Installation, *, listen: Listener) -> Iterator[Iterator[InstalledFile]]:
        _refuse_sdists(pin for room in order.rooms for pin in room)
        with self._scratch() as scratch:
            for room, pins in enumerate(order.rooms):
                (scratch / room_folder(room)).mkdir()
                if pins[0].kind == "wheel":
                    self._install_wheels(scratch, room, pins, order.target, listen)
                else:
                    self._build(scratch, room, pins[0], order.target, listen)
            yield _walk(scratch, len(order.rooms))

    def cancel(self) -> None:
        """What runs ends by itself."""

    def libraries(self, target: Target, *, listen: Listener) -> frozenset[str] | None:
        return None

    def transformer(self, kind: Kind, target: Target, *, listen: Listener) -> str:
        if kind == "strip":
            raise BuildError(
                f"symbols for {target} are stripped by its own binutils, and the host builder has none",
                hint="build in the Lambda image (--builder docker), or leave out strip-symbols",
            )
        return f"{program_digest(kind)} by {self._interpreter(target)[1]}"

    @contextmanager
    def transform(self, order: Transformation, *, listen: Listener) -> Iterator[Outcome]:
        self.transformer(order.kind, order.target, listen=listen)
        python, workplace = self._interpreter(order.target)[0], Workplace(order)
        with self._scratch() as scratch:
            write_files(scratch, workplace.inputs())
            done = run_python(workplace.command(str(python), str(scratch)))
            if done.returncode != 0:
                raise BuildError(f"{DOING[order.kind]} with {python} failed:\n{done.stderr.strip()}")
            yield Outcome(version=done.stdout.strip(), files=workplace.results(_walk(scratch / RESULTS, 1)))

    def _interpreter(self, target: Target) -> tuple[Path, str]:
        """An interpreter of this machine whose bytecode the runtime takes, and its version; found once."""
        if target.runtime not in self._interpreters:
            self._interpreters[target.runtime] = find_interpreter(target.runtime, self._uv, environ=self._environ)
        return self._interpreters[target.runtime]

    def _install_wheels(
        self, scratch: Path, room: int, pins: tuple[Pin, ...], target: Target, listen: Listener
    ) -> None:
        listen(Event(phase="install", text=f"installing {counted(len(pins))} for {target}"))
        (scratch / FILES).mkdir(exist_ok=True)
        for pin in pins:
            if pin.path is not None:
                (scratch / FILES / pin.filename).write_bytes(read_file(pin))
        (scratch / room_pylock(room)).write_text(uv.format_pylock(pins, folder=FILES), encoding="utf-8")
        environ = without_indexes(with_pip(self._environ))
        command = partial(uv.install_command, room_pylock(room), room_folder(room), target, python=sys.executable)
        if uv.run(self._uv, command(offline=True), cwd=scratch, environ=environ).returncode == 0:
            return
        environ["UV_INDEX"] = " ".join(self._read_credentials().indexes(pin.url for pin in pins if pin.path is None))
        done = uv.run(self._uv, command(offline=False), cwd=scratch, environ=environ)
        if done.returncode != 0:
            raise uv.failure("installing on the host", done.stderr)

    def _build(self, scratch: Path, room: int, pin: Pin, target: Target, listen: Listener) -> None:
        """Build a folder or a commit that gives a wheel for any platform, from a copy."""
        listen(Event(phase="build", text=f"building {pin} from source"))
        source = build_input(pin, self._environ, without=self._output)
        write_files(scratch / f"source-{room}", source.files)
        place = f"./source-{room}/{source.path}"
        argv = uv.build_command(place, room_folder(room), python=sys.executable, judged_for=target.runtime.python)
        done = uv.run(self._uv, argv, cwd=scratch, environ=without_logins(self._environ) | build_environment(pin))
        if done.returncode != 0:
            if _NOT_PORTABLE in done.stderr:
                raise refuse_binary(pin, "a wheel of its own Python", target)
            failure = uv.failure(f"building {pin}", done.stderr)
            raise build_failure(pin, done.stderr, keep_log=self._keep_log) if type(failure) is BuildError else failure
        _refuse_binaries(scratch / room_folder(room), pin, target)


def _refuse_binaries(room: Path, pin: Pin, target: Target) -> None:
    """What this machine compiled does not run in the target."""
    for wheel in room.glob("*.dist-info/WHEEL"):
        tags = [line.partition(":")[2].strip() for line in wheel.read_text().splitlines() if line.startswith("Tag:")]
        if not all(tag.endswith("-none-any") for tag in tags):
            raise refuse_binary(pin, ", ".join(tags), target)


def _walk(scratch: Path, rooms: int) -> Iterator[InstalledFile]:
    """The files of the rooms, the largest first: they take longest, and nobody waits for them at the end."""
    found = [one for room in range(rooms) for one in _each_file(scratch / room_folder(room), f"{room_folder(room)}/")]
    for status, name, path in sorted(found, key=lambda one: (-one[0].st_size, one[1])):
        content = Path(path).read_bytes() if stat.S_ISREG(status.st_mode) else b""
        yield installed_file(name, status.st_mode, content, rooms=rooms)


def _each_file(folder: str | os.PathLike[str], prefix: str) -> Iterator[tuple[os.stat_result, str, str]]:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _each_file(entry.path, f"{prefix}{entry.name}/")
        else:
            yield entry.stat(follow_symlinks=False), prefix + entry.name, entry.path


def _refuse_sdists(pins: Iterator[Pin]) -> None:
    sdists = [pin for pin in pins if pin.kind == "sdist"]
    if sdists:
        raise BuildError(
            "\n".join(str(pin.no_wheel) for pin in sdists) + "\nthe host builder installs wheels only",
            hint="build in the Lambda image, where source distributions are compiled: --builder docker",
        )
