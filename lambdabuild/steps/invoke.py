"""Invokes a built function in the runtime image, through the image's Runtime Interface Emulator."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from lambdabuild.errors import MachineError
from lambdabuild.model.functionenv import platform_environ
from lambdabuild.model.invocation import EMULATOR_TIMEOUT, Call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lambdabuild.builders.sandbox import Sandbox

OWN_MEMORY = 20
"""MB that the emulator and our own programs take beside the function: 16 were measured."""
_GRACE = 30
"""Seconds after a function's own in which the emulator must have answered."""
_MEGABYTE = 1 << 20


def invoke(
    sandbox: Sandbox, function: Path, layers: Sequence[Path], call: Call, *, name: str, handler: str, unzipped: int
) -> tuple[dict[str, Any], str]:
    """What the program in the sandbox tells, and all that was logged.

    ``unzipped`` is the size of the function's files, in bytes, which lie in memory. Raises MachineError when the
    engine or the emulator fails, PolicyError for an archive that cannot be unpacked.
    """
    from lambdabuild.builders.sandbox import read_program

    platform = platform_environ(function=name, handler=handler, runtime=sandbox.target.runtime.name)
    order = {
        "entrypoint": sandbox.entrypoint,
        "handler": handler,
        "environ": {**platform, **call.environ, **_settings(call)},
        "event": call.event,
        "count": call.count,
        "deadline": (call.timeout or EMULATOR_TIMEOUT) + _GRACE,
    }
    stdin = json.dumps(order).encode()
    limit = None if call.memory is None else call.memory + OWN_MEMORY + -(-unzipped // _MEGABYTE)
    with ExitStack() as stack:
        unpacked = stack.enter_context(sandbox.layered(layers))
        running = stack.enter_context(
            sandbox.running(function, unpacked, memory=limit, temporary=call.temporary, network=True)
        )
        argv = [running.python, "-I", "-c", read_program("invoke.py")]
        ran = running.run(argv, stdin=b"%d\n" % len(stdin) + stdin, doing="invoking the function")
    if ran.returncode != 0:
        raise MachineError(f"the function cannot be invoked in the image:\n{ran.stderr.strip()}")
    told: dict[str, Any] = json.loads(ran.stdout)
    if not told["answers"]:
        raise MachineError(
            f"the image's emulator does not start (exit status {told['exited']}):\n{ran.stderr.strip()}",
            hint="is it a Lambda image for Python, with its Runtime Interface Emulator?",
        )
    return told, ran.stderr


def _settings(call: Call) -> dict[str, str]:
    """What Lambda tells a function of its configuration, and the emulator takes from the environment."""
    settings = {}
    if call.timeout is not None:
        settings["AWS_LAMBDA_FUNCTION_TIMEOUT"] = str(call.timeout)
    if call.memory is not None:
        settings["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(call.memory)
    return settings
