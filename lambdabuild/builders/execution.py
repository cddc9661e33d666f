"""Commands in a running container, run to their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from docker.utils.socket import frames_iter

from lambdabuild.errors import MachineError

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

_KILLED = 128 + 9
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
    stream: Any = api.exec_start(started, socket=True)
    try:
        if stdin is not None:
            getattr(stream, "_sock", stream).sendall(stdin)
        for kind, frame in frames_iter(stream, tty=False):  # type: ignore[no-untyped-call]
            outputs[kind] += frame
    finally:
        response = getattr(stream, "_response", None)
        if response is not None:
            response.close()  # with its connection, which is else left to the garbage collector
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
