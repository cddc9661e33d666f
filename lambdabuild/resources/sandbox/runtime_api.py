"""Runs the image's own entry point against a runtime API, and tells what its runtime says to that.

On standard input, which is not closed: a line with a number of bytes, then as many of a JSON object:

    entrypoint  the image's, a list
    handler     as in a function's configuration
    timeout     seconds for the init phase, and for each event
    environ     what the runtime's environment has besides that of this process
    events      what to invoke the function with, one after the other; none: the init phase alone
    fresh       whether each event is to have a process of its own

On standard output: a JSON object with the ``init`` and, for each event, one of ``answers``: ``seconds``, and either
``value`` (the response) or ``failure`` (``kind``: raised, exited, timeout; ``log``: the runtime's last lines).
A function that fails, or answers with a ``failure``, has done who knows what to its process: the next event goes to a
new one, and so does the event itself, once more, unless its process was new or it took all of its time.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

API = "/2018-06-01/runtime"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:function"
LOG_LINES = 150
LOG_SIZE = 40_000
GRACE = 1.0
"""Seconds in which a process that hangs may tell where."""


class RuntimeApi(ThreadingHTTPServer):
    """What the service is for a runtime."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Requests)
        self.said: queue.Queue[tuple[str, Any]] = queue.Queue()
        """What the runtime asked or told, and how its process ended."""
        self.events: queue.Queue[Any] = queue.Queue()
        """None when no more will come."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A runtime that was killed took its end of the connection with it."""


class Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        if self.path != f"{API}/invocation/next":
            self._answer(404, {"errorMessage": self.path})
            return
        self.server.said.put(("next", None))
        event = self.server.events.get()
        if event is None:
            return
        self._answer(
            200,
            event,
            ("Lambda-Runtime-Aws-Request-Id", "00000000-0000-4000-8000-000000000000"),
            ("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 900_000)),
            ("Lambda-Runtime-Invoked-Function-Arn", ARN),
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        # Before it is answered: then the runtime may ask for the next event, in another thread of this server.
        self.server.said.put((self.path[len(API) + 1 :], body))
        self._answer(202, {"status": "OK"})

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return body

    def _answer(self, status: int, document: Any, *headers: tuple[str, str]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), *headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Runtime:
    """A process of the image's entry point, and the runtime API that it talks to."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._timeout = order["timeout"]
        self._api = RuntimeApi()
        host, port = self._api.server_address[:2]
        api = {"AWS_LAMBDA_RUNTIME_API": f"{host!s}:{port}"}
        self._log = os.memfd_create("log")
        self.started = time.perf_counter()
        environ = {name: value for name, value in os.environ.items() if name != "HOME"}  # which Lambda does not set
        self._process = subprocess.Popen(
            [*order["entrypoint"], order["handler"]],
            env={**environ, **order["environ"], **api},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        with suppress(OSError):
            # The function is what the kernel is to end when memory runs out.
            Path(f"/proc/{self._process.pid}/oom_score_adj").write_text("1000")
        threading.Thread(target=self._wait, daemon=True).start()
        self.used = False
        """Whether it was invoked."""
        self.init = self._init()

    def _wait(self) -> None:
        self._api.said.put(("exit", self._process.wait()))

    def _init(self) -> dict[str, Any]:
        said, body = self._hear()
        seconds = time.perf_counter() - self.started
        if said == "next":
            return {"seconds": seconds, "value": None}
        return {"seconds": seconds, "failure": self._failure(said, body)}

    def invoke(self, event: Any) -> dict[str, Any]:
        """Hand over an event; the answer, or how the runtime failed to give one."""
        if "failure" in self.init:
            return self.init
        self.used = True
        os.truncate(self._log, 0)
        os.lseek(self._log, 0, os.SEEK_SET)
        started = time.perf_counter()
        self._api.events.put(event)
        said, body = self._hear()
        seconds = time.perf_counter() - started
        if said.endswith("/response"):
            said_next, ended = self._hear()  # what happens after the answer is still this event's doing
            if said_next == "next":
                return {"seconds": seconds, "value": json.loads(body)}
            said, body = said_next, ended
        return {"seconds": seconds, "failure": self._failure(said, body)}

    def _hear(self) -> tuple[str, Any]:
        try:
            return self._api.said.get(timeout=self._timeout)
        except queue.Empty:
            return "timeout", None

    def _failure(self, said: str, body: Any) -> dict[str, Any]:
        if said == "timeout":
            # With PYTHONFAULTHANDLER the interpreter says where it is before it ends.
            self._signal(signal.SIGABRT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
            return {"kind": "timeout", "log": self._last_lines()}
        if said == "exit":
            name = signal.Signals(-body).name if body < 0 else ""
            return {"kind": "exited", "status": body, "signal": name, "log": self._last_lines()}
        return {"kind": "raised", "error": json.loads(body), "log": self._last_lines()}

    def _last_lines(self) -> list[str]:
        size = os.fstat(self._log).st_size
        text = os.pread(self._log, LOG_SIZE, max(size - LOG_SIZE, 0)).decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()][-LOG_LINES:]

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def close(self) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._log)
        self._api.events.put(None)
        self._api.shutdown()
        self._api.server_close()


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out the order."""
    first = Runtime(order)
    runtime: Runtime | None = first
    init, answers = first.init, list[dict[str, Any]]()
    try:
        for event in order["events"] if "value" in init else ():
            runtime = runtime or Runtime(order)
            again = runtime.used
            answer = runtime.invoke(event)
            if again and _spoils(answer):
                runtime.close()
                runtime = Runtime(order)
                answer = runtime.invoke(event)
            answers.append(answer)
            if order["fresh"] or _failed(answer):
                runtime.close()
                runtime = None
    finally:
        if runtime is not None:
            runtime.close()
    return {"init": init, "answers": answers}


def _failed(answer: dict[str, Any]) -> bool:
    return "failure" in answer or bool(answer["value"].get("failure"))


def _spoils(answer: dict[str, Any]) -> bool:
    """Whether it failed, and may not fail in a new process."""
    return _failed(answer) and not ("failure" in answer and answer["failure"]["kind"] == "timeout")


if __name__ == "__main__":
    given = sys.stdin.buffer
    print(json.dumps(run(json.loads(given.read(int(given.readline()))))), flush=True)
    os._exit(0)  # without waiting for threads that still answer runtimes which are no more
