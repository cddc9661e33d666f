"""Imports a built handler in the runtime image, and lets the interpreter tell how long each module takes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdabuild.errors import MachineError, PolicyError
from lambdabuild.zipformat import pack, write_zip

if TYPE_CHECKING:
    from lambdabuild.builders.sandbox import Sandbox

PROBE = "lambdabuild_importtime"
"""The module of ours beside the function's own."""


def time_imports(
    sandbox: Sandbox,
    function: Path,
    layers: Sequence[Path],
    *,
    module: str,
    environ: Mapping[str, str],
    timeout: float,
) -> tuple[str, Mapping[str, str | None]]:
    """The interpreter's lines, and the files of the modules by name.

    Raises PolicyError when the module cannot be imported, MachineError when the engine or the runtime fails.
    """
    from lambdabuild.builders.sandbox import read_program

    order = {
        "entrypoint": sandbox.entrypoint,
        "handler": f"{PROBE}.handler",
        "timeout": timeout,
        "environ": {**environ, "PYTHONPROFILEIMPORTTIME": "1"},
        "events": [{"module": module}],
        "fresh": False,
    }
    stdin = json.dumps(order).encode()
    with ExitStack() as stack:
        unpacked = stack.enter_context(sandbox.layered(layers))
        running = stack.enter_context(sandbox.running(function, unpacked))
        running.add(_probe())
        argv = [running.python, "-I", "-c", read_program("runtime_api.py")]
        ran = running.run(argv, stdin=b"%d\n" % len(stdin) + stdin, doing="importing in the sandbox")
    if ran.returncode != 0:
        raise MachineError(f"the imports cannot be timed in the image:\n{ran.stderr.strip()}")
    told = json.loads(ran.stdout)
    if "failure" in told["init"]:
        log = "\n".join(told["init"]["failure"]["log"])
        raise MachineError(f"the image's runtime does not start:\n{log}", hint="is it a Lambda image for Python?")
    value = _value(told["answers"][0], module)
    return value["text"], value["origins"]


def _value(answer: Mapping[str, Any], module: str) -> Mapping[str, Any]:
    hint = "lambdabuild verify tells what is wrong with it"
    if "failure" in answer:
        failure = answer["failure"]
        how = "takes too long" if failure["kind"] == "timeout" else "ends the interpreter"
        raise PolicyError(f"the import of {module} {how}:\n" + "\n".join(failure["log"]), hint=hint)
    value: Mapping[str, Any] = answer["value"]
    if value["failure"] is not None:
        raise PolicyError(f"{module} cannot be imported: {value['failure']}", hint=hint)
    return value


def _probe() -> bytes:
    from lambdabuild.builders.sandbox import read_program

    out = io.BytesIO()
    write_zip(out, [pack(f"{PROBE}.py", 0o644, read_program("importtime.py").encode())])
    return out.getvalue()
