"""Runs the image's entry point, which starts the Runtime Interface Emulator, and invokes the function through that.

On standard input, which is not closed: a line with a number of bytes, then as many of a JSON object:

    entrypoint  the image's, a list
    handler     as in a function's configuration
    environ     what the function's environment has besides that of this process
    event       text
    count       how often to invoke
    deadline    seconds after which an invocation is given up, should the emulator not end it

On standard output: a JSON object with ``answers``, one for each invocation up to the first that fails: ``status`` and
``body`` of the emulator's HTTP response and ``seconds``, or ``lost``, why there was none; ``exited``, the status of an
emulator that ended before it was asked; and ``oom_kills``, how many processes the kernel ended for want of memory.
On standard error: what the emulator, the runtime and the function write.
https://docs.aws.amazon.com/lambda/latest/dg/images-test.html
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HOST, PORT = "127.0.0.1", 8080
PATH = "/2015-03-31/functions/function/invocations"
EMULATOR = "/usr/local/bin/aws-lambda-rie"
BOOTSTRAP = "/var/runtime/bootstrap"
STARTING = 60.0
"""Seconds until the emulator listens."""
STOPPING = 3.0
"""Seconds in which it may end, and the last of the log may come."""
OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""Of control groups version 2, and 1."""


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out the order."""
    process = start(order)
    assert process.stdout is not None
    log = threading.Thread(target=forward, args=(process.stdout.fileno(),), daemon=True)
    log.start()
    told: dict[str, Any] = {"answers": [], "exited": None}
    try:
        if listens(process):
            for _ in range(order["count"]):
                answer = invoke(order["event"].encode(), order["deadline"])
                told["answers"].append(answer)
                if failed(answer):
                    break
        else:
            told["exited"] = process.poll()
        told["oom_kills"] = oom_kills()
    finally:
        process.terminate()
        try:
            process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
        log.join(STOPPING)
    return told


def start(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the image's entry point, its output in one pipe."""
    argv = [*order["entrypoint"], order["handler"]]
    environ = {name: value for name, value in os.environ.items() if name != "HOME"}  # which Lambda does not set
    environ |= order["environ"]
    if "LOG_LEVEL" in environ:
        # The emulator takes it for its own, and does not start with a level that it has no name for.
        argv = [EMULATOR, "--log-level", "info", BOOTSTRAP]
        environ["_HANDLER"] = order["handler"]
    process = subprocess.Popen(
        argv, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    with suppress(OSError):
        # The function is what the kernel is to end when memory runs out.
        Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")
    return process


def forward(pipe: int) -> None:
    """Pass on what the function writes. It has no hold of our own standard error, which would then outlive us."""
    while chunk := os.read(pipe, 65536):
        while chunk:
            chunk = chunk[os.write(2, chunk) :]


def listens(process: subprocess.Popen[bytes]) -> bool:
    """Wait until the emulator listens; whether it does."""
    until = time.monotonic() + STARTING
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection((HOST, PORT), 1).close()
            return True
        except OSError:
            time.sleep(0.005)
    return False


def invoke(event: bytes, deadline: float) -> dict[str, Any]:
    """Hand over the event, and wait for the answer."""
    started = time.perf_counter()
    emulator = http.client.HTTPConnection(HOST, PORT, timeout=deadline)
    try:
        emulator.request("POST", PATH, event)
        response = emulator.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        return {"lost": "timeout" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"}
    finally:
        emulator.close()
    seconds = time.perf_counter() - started
    return {"status": response.status, "body": body.decode(errors="replace"), "seconds": seconds}


def failed(answer: dict[str, Any]) -> bool:
    """Whether there was no answer, or it is the runtime's about an exception, or the emulator's about the time."""
    if answer.get("status") != 200:
        return True
    try:
        document = json.loads(answer["body"])
    except ValueError:
        return str(answer["body"]).startswith("Task timed out after ")
    return isinstance(document, dict) and {"errorType", "stackTrace"} <= document.keys()


def oom_kills() -> int:
    """How many processes of this container the kernel has ended for want of memory."""
    for path in OOM_COUNTERS:
        with suppress(OSError):
            lines = Path(path).read_text().splitlines()
            return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return 0


if __name__ == "__main__":
    given = sys.stdin.buffer
    print(json.dumps(run(json.loads(given.read(int(given.readline()))))))
