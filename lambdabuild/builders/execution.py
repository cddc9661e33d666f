"""Commands in a running container, run to their end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docker.utils.socket import frames_iter

from lambdabuild.builders.memory import COUNT_KILLED, out_of_memory
from lambdabuild.errors import MachineError

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

_KILLED = 128 + 9
_MOST = 1 << 27
"""Bytes of an output that are kept: a program of somebody else may have no end of it."""
_STDOUT, _STDERR = 1, 2
"""Streams of an attached command, as the engine numbers them."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command in a container ended."""

    returncode: int
    stdout: str
    stderr: str


def execute(
    container: DockerContainer,
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    user: str,
    workdir: str,
    doing: str,
    stdin: Iterable[bytes] | None = None,
) -> Ran:
    """Run a command in a running container to its end, with this on its standard input.

    The input is not closed after it: a command must know how much it may read. Raises BuildError when memory was too
    small for it, MachineError when it or the container was killed otherwise, and what docker-py raises.
    """
    code, stdout, stderr = _execute(container, argv, environ=environ, user=user, workdir=workdir, stdin=stdin)
    if code is None or code == _KILLED:
        check_memory(container, doing)
        raise MachineError(f"{doing}: the container's command was killed (state: {container.status})")
    return Ran(code, stdout.decode(errors="replace"), stderr.decode(errors="replace"))


def check_memory(container: DockerContainer, doing: str) -> None:
    """Raise BuildError when the kernel has killed something in the container for want of memory.

    A command need not end with an error when that happened to one of its children.
    """
    container.reload()
    killed = bool(container.attrs["State"].get("OOMKilled"))
    if not killed and container.status == "running":
        python = container.attrs["Config"]["Entrypoint"][0]  # that of ``sleeper``
        argv = [python, "-I", "-S", "-c", COUNT_KILLED]
        _, stdout, _ = _execute(container, argv, environ={}, user="0", workdir="/", stdin=None)
        killed = stdout.strip() not in (b"", b"0")
    if killed:
        raise out_of_memory(container, doing)


def _execute(
    container: DockerContainer,
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    user: str,
    workdir: str,
    stdin: Iterable[bytes] | None,
) -> tuple[int | None, bytes, bytes]:
    api = container.client.api  # type: ignore[union-attr]
    started = api.exec_create(
        container.id, list(argv), environment=dict(environ), user=user, workdir=workdir, stdin=stdin is not None
    )["Id"]
    outputs = {_STDOUT: bytearray(), _STDERR: bytearray()}
    stream: Any = api.exec_start(started, socket=True)
    try:
        if stdin is not None:
            for piece in stdin:
                getattr(stream, "_sock", stream).sendall(piece)
        for kind, frame in frames_iter(stream, tty=False):  # type: ignore[no-untyped-call]
            outputs[kind] += frame
            if len(outputs[kind]) > 2 * _MOST:
                del outputs[kind][:-_MOST]
    finally:
        response = getattr(stream, "_response", None)
        if response is not None:
            response.close()  # with its connection, which is else left to the garbage collector
        stream.close()
    return api.exec_inspect(started)["ExitCode"], bytes(outputs[_STDOUT]), bytes(outputs[_STDERR])
