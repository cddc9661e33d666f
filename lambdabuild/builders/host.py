"""The host builder: no container, so nothing is installed, and nothing compiled for a target."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from lambdabuild.builders.base import (
    Image,
    InstalledFile,
    Kind,
    Laid,
    Outcome,
    Provide,
    Transformation,
    WheelBuild,
    installed_file,
    room_folder,
)
from lambdabuild.builders.failures import KeepLog, no_log
from lambdabuild.errors import BuildError
from lambdabuild.model.events import Listener
from lambdabuild.model.target import Runtime, Target
from lambdabuild.wheels.wheelfile import WheelFile


class HostBuilder:
    """Packages wheels for any target, builds those that fit any, and makes bytecode, on this machine."""

    name = "host"
    place = "host"

    def __init__(
        self,
        *,
        uv: Path,
        environ: Mapping[str, str],
        scratch: Callable[[], AbstractContextManager[Path]],
        output: Path | None = None,
        keep_log: KeepLog = no_log,
    ) -> None:
        """``output`` is where builds put what they make: no part of any source tree."""
        self._output = output
        self._keep_log = keep_log
        self._uv = uv
        self._environ = environ
        self._scratch = scratch
        self._interpreters: dict[Runtime, tuple[Path, str]] = {}

    def make_ready(self) -> None:
        pass

    def image(self, target: Target, *, listen: Listener) -> Image | None:
        return None

    def lay_down(
        self, rooms: Sequence[Sequence[WheelFile]], target: Target, *, listen: Listener
    ) -> Sequence[Laid] | None:
        return None

    def build(self, order: WheelBuild, *, provide: Provide, folder: Path, listen: Listener) -> Path:
        from lambdabuild.builders.hostbuild import build_on_host  # with what reads sources

        return build_on_host(
            order,
            uv_binary=self._uv,
            environ=self._environ,
            output=self._output,
            keep_log=self._keep_log,
            folder=folder,
            listen=listen,
        )

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
        from lambdabuild.builders.transforms import program_digest

        return f"{program_digest(kind)} by {self._interpreter(target)[1]}"

    @contextmanager
    def transform(self, order: Transformation, *, listen: Listener) -> Iterator[Outcome]:
        from lambdabuild.builders.hostbuild import write_files
        from lambdabuild.builders.interpreter import run_python
        from lambdabuild.builders.transforms import DOING, RESULTS, Workplace

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
            from lambdabuild.builders.interpreter import find_interpreter

            self._interpreters[target.runtime] = find_interpreter(target.runtime, self._uv, environ=self._environ)
        return self._interpreters[target.runtime]


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
