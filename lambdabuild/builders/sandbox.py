"""The Lambda image as Lambda runs it: function at /var/task, layers at /opt, and nothing else that a function has not.

Stricter than the service where that costs nothing: another user than the files' owner, nothing writable but /tmp, no
capability, and unless it is asked for no network. What goes in lies in the engine's memory (tmpfs volumes): a layer of
200 MB is there, and gone again, several times faster than on a disk.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from docker.types import DriverConfig, Mount

from lambdabuild.builders.container import Ran, engine_errors, execute, owner_labels, remove, sleeper
from lambdabuild.builders.engine import Engine, python_of
from lambdabuild.errors import MachineError
from lambdabuild.model.events import Listener
from lambdabuild.model.target import Target

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

TASK_ROOT = "/var/task"
LAYER_ROOT = "/opt"
USER = "993:990"
"""Not the owner of the files, as in Lambda: a file that is not readable for all is found here."""
_CHUNK = 1 << 20
_BLOCK = 512

File = tuple[str, int, bytes]
"""Path relative to the root, permission bits, content."""
Archive = Callable[[], Iterable[File]]
"""The files of an artifact, read when they are needed."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Layers that are unpacked, one over the other, for as long as the ``with`` block of ``layered`` lasts."""

    holder: str
    """The id of the container whose volume they are in."""


class Sandbox:
    """Makes sandboxes for one target."""

    def __init__(self, engine: Engine, target: Target, *, listen: Listener) -> None:
        """Raises MachineError when the image cannot be had, or the engine cannot run it."""
        self._engine = engine
        self._python = python_of(target)
        image = engine.ensure(target, listen)
        self._image = str(image.id)
        if not engine.runs(self._image, target):
            raise MachineError(
                f"this engine ({engine.architecture}) runs no {target.architecture} programs, so nothing for {target} "
                "can be tried",
                hint="use an engine of that architecture (DOCKER_HOST), or set up emulation "
                "(https://docs.docker.com/build/building/multi-platform/#qemu)",
            )

    @contextmanager
    def layered(self, archives: Sequence[Archive]) -> Iterator[Layers]:
        """Unpack layers, in their order, for any number of sandboxes."""
        with self._container(LAYER_ROOT, None, network=False) as holder:
            with engine_errors("unpacking the layers"):
                for archive in archives:
                    holder.put_archive(LAYER_ROOT, tar_stream(archive()))
            yield Layers(str(holder.id))

    @contextmanager
    def running(
        self,
        function: Archive | None,
        layers: Layers | None,
        *,
        environ: Mapping[str, str] | None = None,
        memory: int | None = None,
        network: bool = False,
    ) -> Iterator[Running]:
        """A sandbox with the function unpacked; ``memory`` in MB limits it."""
        with self._container(TASK_ROOT, layers, network=network, environ=environ, memory=memory) as container:
            if function is not None:
                with engine_errors("unpacking the function"):
                    container.put_archive(TASK_ROOT, tar_stream(function()))
            yield Running(container, python=self._python)

    @contextmanager
    def _container(
        self,
        volume: str,
        layers: Layers | None,
        *,
        network: bool,
        environ: Mapping[str, str] | None = None,
        memory: int | None = None,
    ) -> Iterator[DockerContainer]:
        with ExitStack() as stack:
            with engine_errors("making the sandbox"):
                container = self._engine.client.containers.create(
                    self._image,
                    entrypoint=sleeper(self._python),
                    command=[],
                    name=f"lambdabuild-{os.getpid()}-{os.urandom(4).hex()}",
                    labels=owner_labels(),
                    environment=dict(environ or {}),
                    mounts=[_memory(volume)],
                    volumes_from=[f"{layers.holder}:ro"] if layers else [],
                    user=USER,
                    working_dir=TASK_ROOT,
                    read_only=True,
                    tmpfs={"/tmp": "exec,mode=1777"},
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    pids_limit=1024,  # as Lambda has it
                    mem_limit=f"{memory}m" if memory else None,
                    memswap_limit=f"{memory}m" if memory else None,
                    network_mode=None if network else "none",
                    init=True,
                )
                stack.callback(remove, container)
                container.start()
            yield container


class Running:
    """A sandbox in which commands can be run."""

    def __init__(self, container: DockerContainer, *, python: str) -> None:
        self._container = container
        self.python = python
        """Path of the runtime's interpreter."""

    def run(self, argv: Sequence[str], *, stdin: bytes, doing: str, environ: Mapping[str, str] | None = None) -> Ran:
        """Run a command to its end; it must not read its standard input beyond what it is given.

        Raises MachineError when the engine is lost, or the command is killed.
        """
        with engine_errors(doing):
            return execute(self._container, argv, stdin=stdin, environ=environ or {}, user=USER, workdir=TASK_ROOT)


def tar_stream(files: Iterable[File]) -> Iterator[bytes]:
    """A tar of regular files and the folders above them, root's, in chunks."""
    folders: set[str] = set()
    chunk = bytearray()
    for path, mode, content in files:
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            if str(parent) not in folders:
                folders.add(str(parent))
                chunk += _header(str(parent), 0o755, folder=True)
        chunk += _header(path, mode, size=len(content)) + content + bytes(-len(content) % _BLOCK)
        if len(chunk) >= _CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk) + bytes(2 * _BLOCK)


def _header(path: str, mode: int, *, size: int = 0, folder: bool = False) -> bytes:
    info = tarfile.TarInfo(path)
    info.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
    info.mode, info.size = mode, size
    return info.tobuf(tarfile.PAX_FORMAT)


def _memory(path: str) -> Mount:
    """A nameless volume in memory; nothing of the image shows through it."""
    driver = DriverConfig("local", options={"type": "tmpfs", "device": "tmpfs", "o": "mode=755"})
    return Mount(path, None, type="volume", no_copy=True, labels=owner_labels(), driver_config=driver)
