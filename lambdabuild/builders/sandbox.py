"""The Lambda image as Lambda runs it: function at /var/task, layers at /opt, and nothing else that a function has not.

Stricter than the service where that costs nothing: another user than the files' owner, nothing writable but /tmp, no
capability, and unless it is asked for no network. What goes in lies in the engine's memory (tmpfs volumes): a layer of
200 MB is there, and gone again, several times faster than on a disk. Zips go in as they are, through a program's
standard input, and Python's own zipfile unpacks them there: less to send to an engine far away, and another reader
than the writer proves what is in them.
"""

from __future__ import annotations

import io
import os
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import docker.errors
from docker.types import Mount

from lambdabuild.builders.container import engine_errors, memory_volume, sleeper
from lambdabuild.builders.endpoint import WAYS_OUT, WITHOUT
from lambdabuild.builders.engine import Engine, python_of
from lambdabuild.builders.execution import Ran, check_memory, execute
from lambdabuild.builders.images import image_digest
from lambdabuild.builders.ownership import create, owner_labels, remove
from lambdabuild.errors import MachineError, PolicyError
from lambdabuild.model.events import Listener
from lambdabuild.model.target import Target

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

TASK_ROOT = "/var/task"
LAYER_ROOT = "/opt"
USER = "993:990"
"""Not the owner of the files, as in Lambda: a file that is not readable for all is found here."""
PASSWD = "sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n"
"""That user's line in /etc/passwd, as the service has it; nothing is at that home."""
TEMPORARY = 512
"""MB of /tmp that a function has when nobody says more."""
ENTRYPOINT = ("/lambda-entrypoint.sh",)
_ROOT = 0

_PIECE = 1 << 20
Archive = Path | bytes
"""A zip: its file, or its bytes."""


class Layers:
    """Layers that are unpacked, one over the other, for as long as the ``with`` block of ``layered`` lasts; and the
    system's own settings beside them, in which the user of the sandboxes has a name."""

    def __init__(self, container: DockerContainer, unpacking: Future[None], *, python: str) -> None:
        self._container = container
        self._unpacking = unpacking
        self._python = python

    @property
    def holder(self) -> str:
        """The id of the container whose volumes they are in."""
        return str(self._container.id)

    def wait(self) -> None:
        """Until all is unpacked; raises what went wrong with that."""
        self._unpacking.result()

    def add(self, archive: Archive) -> None:
        """Unpack one more layer over the others, in the sandboxes that use them too."""
        _unpack(self._container, LAYER_ROOT, archive, python=self._python)


class Sandbox:
    """Makes sandboxes for one target; may be used from several threads."""

    def __init__(self, engine: Engine, target: Target, *, listen: Listener) -> None:
        """Raises MachineError when the image cannot be had, or the engine cannot run it."""
        self._engine = engine
        self.target = target
        self._python = python_of(target)
        image = engine.ensure(target, listen)
        self._image = str(image.id)
        self.digest = image_digest(image)
        """Of the image."""
        self.entrypoint = tuple(image.attrs["Config"].get("Entrypoint") or ENTRYPOINT)
        """The image's own: takes the handler as its argument, and starts the runtime."""
        self._alive: dict[str, DockerContainer] = {}
        self._closed = False
        self._lock = threading.Lock()
        if not engine.runs(self._image, target):
            raise MachineError(
                f"this engine ({engine.architecture}) runs no {target.architecture} programs, so nothing for {target} "
                "can be tried",
                hint="use an engine of that architecture (DOCKER_HOST), or set up emulation "
                "(https://docs.docker.com/build/building/multi-platform/#qemu)",
            )

    def close(self) -> None:
        """Remove every sandbox at once, also those that other threads use, and make no more.

        For a program with threads that is interrupted; one without leaves its ``with`` blocks and is done.
        """
        with self._lock:
            self._closed = True
            alive = list(self._alive.values())
        for container in alive:
            remove(container)

    @contextmanager
    def layered(self, archives: Sequence[Archive]) -> Iterator[Layers]:
        """Unpack layers, in their order, for any number of sandboxes.

        They are unpacked while the block goes on: a sandbox is there when they are, and raises PolicyError for one
        that cannot be unpacked.
        """

        def unpack() -> None:
            for archive in archives:
                _unpack(holder, LAYER_ROOT, archive, python=self._python)

        # Left in this order: the container is removed, which ends a program in it, and then the thread.
        with ThreadPoolExecutor(1) as pool, self._holder() as holder:
            yield Layers(holder, pool.submit(unpack), python=self._python)

    @contextmanager
    def running(
        self,
        function: Archive,
        layers: Layers,
        *,
        memory: int | None = None,
        temporary: int = TEMPORARY,
        network: bool = False,
    ) -> Iterator[Running]:
        """A sandbox with the function unpacked; ``memory`` in MB limits it, with the function's files in it, and
        ``temporary`` what it may write to /tmp.

        Raises PolicyError for an archive that cannot be unpacked.
        """
        with self._container(TASK_ROOT, layers, temporary=temporary, network=network) as container:
            with engine_errors("starting the sandbox"):
                container.start()
            running = Running(container, python=self._python)
            running.add(function)
            layers.wait()
            if memory is not None:  # only now: unpacking takes memory too
                with engine_errors("limiting the sandbox's memory"):
                    container.update(mem_limit=f"{memory}m", memswap_limit=f"{memory}m")
            yield running

    @contextmanager
    def _holder(self) -> Iterator[DockerContainer]:
        """A container whose volumes the sandboxes read: that of the layers, and /etc of the image with their user."""
        with self._container(LAYER_ROOT, None) as holder:
            with engine_errors("starting the sandbox"):
                holder.put_archive("/etc", _with_user(holder))
                holder.start()
            yield holder

    @contextmanager
    def _container(
        self, volume: str, layers: Layers | None, *, temporary: int = TEMPORARY, network: bool = False
    ) -> Iterator[DockerContainer]:
        """A container that is yet to be started; one without layers is that which holds them."""
        settings = [] if layers else [Mount("/etc", None, type="volume", labels=owner_labels())]
        with ExitStack() as stack:
            with engine_errors("making the sandbox"):
                container = create(
                    self._engine.client,
                    self._image,
                    entrypoint=sleeper(self._python),
                    command=[],
                    mounts=[memory_volume(volume, owner=_ROOT), *settings],
                    volumes_from=[f"{layers.holder}:ro"] if layers else [],
                    user=USER,
                    working_dir=TASK_ROOT,
                    read_only=True,
                    tmpfs={"/tmp": f"exec,mode=1777,size={temporary}m"},
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    pids_limit=1024,  # as Lambda has it
                    network_mode=None if network else "none",
                    init=True,
                )
                stack.callback(self._remove, container)
                with self._lock:
                    closed = self._closed
                    self._alive[str(container.id)] = container
                if closed:
                    raise MachineError("the sandbox was closed")
            yield container

    def _remove(self, container: DockerContainer) -> None:
        with self._lock:
            self._alive.pop(str(container.id), None)
        remove(container)


class Sandboxes:
    """Makes sandboxes for any target, on one engine."""

    def __init__(self, engine: Engine, *, listen: Listener) -> None:
        self._engine = engine
        self._listen = listen
        self._made: dict[Target, Sandbox] = {}

    def at_hand(self, target: Target) -> bool:
        """Whether the engine has the image already; raises MachineError when no engine answers."""
        with _needed():
            return self._engine.has(target)

    def make(self, target: Target) -> Sandbox:
        """Raises MachineError when the image cannot be had, or the engine cannot run it."""
        if target not in self._made:
            with _needed():
                self._made[target] = Sandbox(self._engine, target, listen=self._listen)
        return self._made[target]


@contextmanager
def _needed() -> Iterator[None]:
    """Say of an engine that does not answer only what helps where nothing can be run without one."""
    try:
        yield
    except MachineError as error:
        if error.hint and error.hint.endswith(WITHOUT):
            plain = error.hint.removesuffix(WITHOUT)
            hint = "start Docker, or set DOCKER_HOST" if error.hint == WAYS_OUT else plain
            raise MachineError(error.message, hint=hint, code=error.code) from error
        raise


class Running:
    """A sandbox in which commands can be run."""

    def __init__(self, container: DockerContainer, *, python: str) -> None:
        self._container = container
        self.python = python
        """Path of the runtime's interpreter."""

    def add(self, archive: Archive) -> None:
        """Unpack one more archive at /var/task."""
        _unpack(self._container, TASK_ROOT, archive, python=self.python)

    def run(self, argv: Sequence[str], *, stdin: bytes, doing: str, environ: Mapping[str, str] | None = None) -> Ran:
        """Run a command to its end; it must not read its standard input beyond what it is given.

        Raises MachineError when the engine is lost, or the command is killed.
        """
        with engine_errors(doing):
            return execute(
                self._container, argv, stdin=[stdin], environ=environ or {}, user=USER, workdir=TASK_ROOT, doing=doing
            )

    def check_memory(self, *, doing: str) -> None:
        """Raise BuildError when something that was run here was killed for want of memory."""
        with engine_errors(doing):
            check_memory(self._container, doing)


def _with_user(container: DockerContainer) -> bytes:
    """An archive with the image's own list of users, and the one of the sandboxes in it."""
    try:
        stream, _ = container.get_archive("/etc/passwd")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            file = archive.extractfile("passwd")
            users = file.read().decode() if file else ""
    except docker.errors.NotFound:
        users = "root:x:0:0:root:/root:/bin/bash\n"
    lines = [line for line in users.splitlines(keepends=True) if line.split(":")[2:3] != [PASSWD.split(":")[2]]]
    content = "".join([*lines, PASSWD]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("passwd")
        member.size, member.mode = len(content), 0o644
        archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _unpack(container: DockerContainer, root: str, archive: Archive, *, python: str) -> None:
    argv = [python, "-I", "-c", read_program("unpack.py"), root]
    with engine_errors("unpacking an archive in the sandbox"):
        doing = f"unpacking an archive at {root}"
        ran = execute(container, argv, environ={}, user=str(_ROOT), workdir="/", stdin=_pieces(archive), doing=doing)
    if "No space left" in ran.stderr:
        raise MachineError(f"the engine's memory has no room for what goes to {root}", hint="give it more memory")
    if ran.returncode != 0:
        raise PolicyError(
            f"an archive cannot be unpacked at {root}: {ran.stderr.strip().rpartition(chr(10))[2]}",
            hint="build it again",
        )


def _pieces(archive: Archive) -> Iterator[bytes]:
    """The size of an archive, and its bytes as a program of ours reads them, few of them in memory at once."""
    if isinstance(archive, bytes):
        yield b"%d\n" % len(archive) + archive
        return
    with archive.open("rb") as file:
        yield b"%d\n" % os.fstat(file.fileno()).st_size
        while piece := file.read(_PIECE):
            yield piece


def read_program(name: str) -> str:
    """A program of ours for the image's interpreter."""
    return (files("lambdabuild.resources") / "sandbox" / name).read_text(encoding="utf-8")
