"""One container as a resource: made, used through few verbs, and removed whatever happens.

No bind mounts: files go in and come out as tar streams, so that remote engines and Docker in Docker work and nothing
that root owns is left on the host.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NoReturn

import docker
import docker.errors
import requests.exceptions
from docker.types import DriverConfig, Mount
from docker.utils.socket import frames_iter

from lambdabuild.builders.tar import write_tar
from lambdabuild.errors import MachineError

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

log = logging.getLogger(__name__)

WORK = "/work"
"""The container's own volume: what goes in, what comes out."""
CACHE = "/cache"
"""uv's download cache, a volume that outlives the container."""
USER = 1000
"""Who works in the container; never root."""
LABEL = "dev.lambdabuild"
_PRIVATE = "/run/lambdabuild"
"""In memory and in no volume: what the build user reads, and nobody else."""
_DEADLINE = 3600
"""Seconds after which a container ends by itself, if whoever made it was killed."""
_KILLED = 128 + 9
_STDOUT, _STDERR = 1, 2
"""Streams of an attached command, as the engine numbers them."""
_SLEEP = f"import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); time.sleep({_DEADLINE})"
_WRITE = """
import os, sys
content = sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))
with open(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
    file.write(content)
"""
_RUN_WITH = """
import json, os, sys
with open(sys.argv[1]) as file:
    environ = json.load(file)
os.execve(sys.argv[2], sys.argv[2:], os.environ | environ)
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command in a container ended."""

    returncode: int
    stdout: str
    stderr: str


class Container:
    """A running container, for as long as the ``with`` block of ``running`` lasts."""

    def __init__(self, container: DockerContainer, *, python: str) -> None:
        self._container = container
        self._python = python

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

    def put_private(self, name: str, content: bytes) -> str:
        """Write a file that the build user alone reads, in memory, and give its path.

        It comes in through a program's standard input: an engine may log what arguments and environments it is given.
        """
        path = f"{_PRIVATE}/{name}"
        with engine_errors("handing over credentials"):
            ran = self._execute([self._python, "-I", "-c", _WRITE, path], {}, stdin=b"%d\n" % len(content) + content)
        if ran.returncode != 0:
            raise MachineError(f"{path} cannot be written in the container (exit status {ran.returncode})")
        return path

    def run(self, argv: Sequence[str], *, environ: Mapping[str, str], doing: str, private: str | None = None) -> Ran:
        """Run a command as the build user.

        ``private`` is the path of a file, a JSON object, that holds more of the environment, which shows in no log,
        inspection or event of the engine.
        """
        log.debug("run %s in container %s", list(argv), self._container.short_id)
        if private is not None:
            argv = [self._python, "-I", "-c", _RUN_WITH, private, *argv]
        with engine_errors(doing):
            return self._execute(argv, environ)

    def _execute(self, argv: Sequence[str], environ: Mapping[str, str], stdin: bytes | None = None) -> Ran:
        return execute(self._container, argv, environ=environ, user=str(USER), workdir=WORK, stdin=stdin)


def execute(
    container: DockerContainer,
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    user: str,
    workdir: str,
    stdin: bytes | None = None,
) -> Ran:
    """Run a command in a running container to its end, with this on its standard input.

    The input is not closed after it: a command must know how much it may read. Raises MachineError when the command
    or the container was killed, and what docker-py raises.
    """
    api = container.client.api  # type: ignore[union-attr]
    started = api.exec_create(
        container.id, list(argv), environment=dict(environ), user=user, workdir=workdir, stdin=stdin is not None
    )["Id"]
    outputs = {_STDOUT: bytearray(), _STDERR: bytearray()}
    if stdin is None:
        for stdout, stderr in api.exec_start(started, stream=True, demux=True):
            outputs[_STDOUT] += stdout or b""
            outputs[_STDERR] += stderr or b""
    else:
        stream: Any = api.exec_start(started, socket=True)
        try:
            getattr(stream, "_sock", stream).sendall(stdin)
            for kind, frame in frames_iter(stream, tty=False):  # type: ignore[no-untyped-call]
                outputs[kind] += frame
        finally:
            stream.close()
    code = api.exec_inspect(started)["ExitCode"]
    if code is None or code == _KILLED:
        _explain_death(container)
    return Ran(code, outputs[_STDOUT].decode(errors="replace"), outputs[_STDERR].decode(errors="replace"))


def _explain_death(container: DockerContainer) -> NoReturn:
    """Raise MachineError when the container or its command was killed; a log that ended proves nothing."""
    container.reload()
    state = container.attrs["State"]
    if state.get("OOMKilled"):
        raise MachineError("the container ran out of memory", hint="give the Docker Engine more memory")
    raise MachineError(f"the container's command was killed (state: {state.get('Status')})")


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
    client: docker.DockerClient, image: str, *, python: str, cache: str | None, in_memory: bool = False
) -> Iterator[Container]:
    """A container of the image, doing nothing but waiting, as an unprivileged user on a read-only filesystem.

    Its work volume has no name and goes with it; ``cache`` names a volume that stays. The container is removed beside
    what follows.
    """
    labels = owner_labels()
    mounts = [memory_volume(WORK, owner=USER) if in_memory else Mount(WORK, None, type="volume", labels=labels)]
    if cache is not None:
        mounts.append(Mount(CACHE, cache, type="volume", labels={LABEL: "cache"}))
    with engine_errors("making the container"):
        container = client.containers.create(
            image,
            entrypoint=sleeper(python),
            command=[],
            name=f"lambdabuild-{os.getpid()}-{os.urandom(4).hex()}",
            labels=labels,
            mounts=mounts,
            user=str(USER),
            working_dir="/",
            read_only=True,
            tmpfs={"/tmp": "exec,mode=1777", _PRIVATE: "noexec,mode=1777,size=1m"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=4096,
            init=True,
        )
    try:
        with engine_errors("starting the container"):
            container.start()
        yield Container(container, python=python)
    finally:
        # Nobody needs to wait but the process, which ends when its threads have.
        Thread(target=remove, args=(container,), name=f"remove {container.name}").start()


@contextmanager
def engine_errors(phase: str) -> Iterator[None]:
    """Turn what docker-py and the connection below it raise into MachineError, naming the phase."""
    try:
        yield
    except docker.errors.APIError as error:
        raise MachineError(
            f"the Docker Engine refused while {phase}: {error.explanation or error}", hint="see the engine's log"
        ) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, ConnectionError) as error:
        raise MachineError(
            f"lost the Docker Engine while {phase}: {_innermost(error)}", hint="check that it runs: docker info"
        ) from error


def owner_labels() -> dict[str, str]:
    """Labels that tell whose container it is, so that a later run can remove what a killed one left."""
    return {LABEL: "run", f"{LABEL}.owner": json.dumps([socket.gethostname(), os.getpid(), _started(os.getpid())])}


def remove_orphans(client: docker.DockerClient) -> None:
    """Remove the containers of this host's runs that are no more."""
    for container in client.containers.list(all=True, filters={"label": f"{LABEL}=run"}, ignore_removed=True):
        try:
            host, pid, started = json.loads(container.labels[f"{LABEL}.owner"])
        except (KeyError, ValueError):
            continue
        if host == socket.gethostname() and _started(pid) != started:
            log.debug("removing %s, left by a run that was killed", container.name)
            remove(container)


def remove_own(client: docker.DockerClient) -> None:
    """Remove the containers of this run, whatever they do."""
    own = owner_labels()[f"{LABEL}.owner"]
    for container in client.containers.list(all=True, filters={"label": f"{LABEL}=run"}, ignore_removed=True):
        if container.labels.get(f"{LABEL}.owner") == own:
            remove(container)


def remove(container: Any) -> None:
    """Remove a container and its nameless volumes; the next run tries again where the engine does not answer."""
    try:
        container.remove(force=True, v=True)
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        log.debug("container %s was not removed: %s", container.short_id, error)


def _started(pid: int) -> str | None:
    """When a process started, in the kernel's ticks; None when there is none, or the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "running"


def _innermost(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
