"""One container as a resource: made, used through few verbs, and removed whatever happens.

Files go in and come out as tar streams, so that remote engines and Docker in Docker work and nothing that root owns is
left on the host. What an engine on this very machine may be lent besides (docs/decisions/0017) is a saving that a
container does without where the engine does not take it.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import docker
import docker.errors
import requests.exceptions
from docker.types import DriverConfig, Mount

from lambdabuild.builders.execution import Ran, check_memory, execute
from lambdabuild.builders.ownership import create, owner_labels, remove
from lambdabuild.builders.tar import write_tar
from lambdabuild.errors import MachineError

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

log = logging.getLogger(__name__)

WORK = "/work"
"""The container's own volume: what goes in, what comes out."""
TREE = f"{WORK}/tree"
"""What is installed, with a folder for each room."""
USER = 1000
"""Who works in the container; never root."""
_KNOWN = (
    ("catatonit", "install catatonit, with which the engine starts containers: apt-get install catatonit"),
    ("docker-init", "install docker-init (tini), with which the engine starts containers: apt-get install tini"),
)
"""What an engine says that lacks something, and what to do."""
_DEADLINE = 3600
"""Seconds after which a container ends by itself, if whoever made it was killed."""
_SLEEP = f"import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); time.sleep({_DEADLINE})"


class Container:
    """A running container, for as long as the ``with`` block of ``running`` lasts."""

    def __init__(self, container: DockerContainer, *, python: str, lent: bool) -> None:
        self._container = container
        self.python = python
        """The path of the image's interpreter."""
        self.lent = lent
        """Whether it has what it was to be lent."""

    def put(self, folder: str, files: Iterable[tuple[str, int, bytes]]) -> None:
        """Write folders and files below a volume."""
        with engine_errors("uploading to the container"), tempfile.TemporaryFile() as tar:
            write_tar(tar, files, owner=USER)
            tar.seek(0)
            self._container.put_archive(folder, tar)

    def get(self, folder: str) -> Iterator[bytes]:
        """The tar stream of a folder."""
        with engine_errors("reading the installed tree"):
            chunks, _ = self._container.get_archive(folder)
            yield from chunks

    def run(self, argv: Sequence[str], *, environ: Mapping[str, str], doing: str) -> Ran:
        """Run a command as the build user."""
        log.debug("run %s in container %s", list(argv), self._container.short_id)
        with engine_errors(doing):
            return execute(self._container, argv, environ=environ, user=str(USER), workdir=WORK, doing=doing)

    def check_memory(self, *, doing: str) -> None:
        """Raise BuildError when something that was run here was killed for want of memory."""
        with engine_errors(doing):
            check_memory(self._container, doing)


def sleeper(python: str) -> list[str]:
    """The entry point of a container that waits for commands, and ends by itself if whoever made it was killed."""
    return [python, "-I", "-c", _SLEEP]


def memory_volume(path: str, *, owner: int) -> Mount:
    """A nameless volume in the engine's memory, for as long as its container runs.

    What is written there is there, and gone again, many times faster than on a disk; nothing of the image shows
    through it.
    """
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"mode=755,uid={owner},gid={owner}"}
    driver = DriverConfig("local", options=options)
    return Mount(path, None, type="volume", no_copy=True, labels=owner_labels(), driver_config=driver)


@contextmanager
def running(
    client: docker.DockerClient,
    image: str,
    *,
    python: str,
    in_memory: bool = False,
    lend: Mapping[str, Path] | None = None,
    network: bool = False,
) -> Iterator[Container]:
    """A container of the image, doing nothing but waiting, as an unprivileged user on a read-only filesystem.

    Its work volume has no name and goes with it. It can read the files of this
    machine in ``lend``, by path in the container, if the engine can. The container is removed beside what follows.
    """
    mounts = [memory_volume(WORK, owner=USER) if in_memory else Mount(WORK, None, type="volume", labels=owner_labels())]
    loans = [Mount(path, str(file), type="bind", read_only=True) for path, file in (lend or {}).items()]
    container = None
    with engine_errors("starting the container"):
        if loans:
            try:
                container = _start(client, image, sleeper(python), [*mounts, *loans], network=network)
            except docker.errors.APIError as error:
                log.debug("the engine takes no files of this machine: %s", error.explanation)
        lent = container is not None
        container = container or _start(client, image, sleeper(python), mounts, network=network)
    try:
        yield Container(container, python=python, lent=lent)
    finally:
        # Nobody needs to wait but the process, which ends when its threads have.
        Thread(target=remove, args=(container,), name=f"remove {container.name}").start()


def _start(
    client: docker.DockerClient, image: str, argv: Sequence[str], mounts: Sequence[Mount], *, network: bool
) -> DockerContainer:
    """Make and start a container, or leave none."""
    container = create(
        client,
        image,
        entrypoint=list(argv),
        command=[],
        mounts=list(mounts),
        user=str(USER),
        working_dir="/",
        read_only=True,
        tmpfs={"/tmp": "exec,mode=1777"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=4096,
        init=True,
        network_mode=None if network else "none",
    )
    try:
        container.start()
    except BaseException:
        remove(container)
        raise
    return container


@contextmanager
def engine_errors(phase: str) -> Iterator[None]:
    """Turn what docker-py and the connection below it raise into MachineError, naming the phase."""
    try:
        yield
    except docker.errors.APIError as error:
        raise MachineError(
            f"the Docker Engine refused while {phase}: {error.explanation or error}",
            hint=next((hint for sign, hint in _KNOWN if sign in str(error.explanation)), "see the engine's log"),
        ) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, ConnectionError) as error:
        raise MachineError(
            f"lost the Docker Engine while {phase}: {_innermost(error)}",
            hint="check that it runs: docker info",
            code="engine-unavailable",
        ) from error


def _innermost(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
