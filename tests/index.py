"""A package index on this machine's loopback address: files, simple pages (PEP 503), and misbehaviour on demand."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import cast

from tests.wheels import Wheel


@dataclass(frozen=True)
class Answer:
    """What a path answers; ``length`` may promise more than ``body`` keeps."""

    body: bytes
    status: int = 200
    length: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    ranges: bool = False
    """Whether a part is given when a part is asked for."""
    cut: int | None = None
    """How many bytes are sent before the connection ends."""

    def part(self, asked: str | None) -> Answer:
        """The rest of the body that ``Range: bytes=N-`` asks for."""
        if not self.ranges or asked is None:
            return self
        begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(self.body):
            return replace(self, body=b"", status=416)
        told = ("Content-Range", f"bytes {begin}-{len(self.body) - 1}/{len(self.body)}")
        return replace(self, body=self.body[begin:], status=206, headers=(*self.headers, told))


class Index:
    """Serves until its context is left. ``bind`` is the address listened on, ``host`` the one that URLs name."""

    def __init__(self, *, host: str = "127.0.0.1", bind: str | None = None) -> None:
        self.host = host
        self.answers: dict[str, Answer | list[Answer]] = {}
        """By path; of a list each request gets the next one, and the last one again."""
        self.wheels: dict[str, Wheel] = {}
        """By URL."""
        self.requests: list[tuple[str, str | None]] = []
        """Path and Authorization of each request, as they came."""
        self._projects: dict[str, dict[str, str]] = {}
        self._arrivals: dict[str, threading.Event] = {}
        self._closing = threading.Event()
        self._released = threading.Event()
        self._server = _Server((bind or host, 0), _Handler)
        self._server.index = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self._server.server_port}"

    @property
    def simple(self) -> str:
        """What ``UV_DEFAULT_INDEX`` names."""
        return f"{self.url}/simple"

    def add(self, wheel: Wheel) -> str:
        """Offer a wheel; returns its URL."""
        url = self.add_file(wheel.name, wheel.filename, wheel.data)
        self.wheels[url] = wheel
        return url

    def add_file(self, project: str, filename: str, data: bytes) -> str:
        """Offer a file of a project; returns its URL."""
        self.answers[f"/files/{filename}"] = Answer(data)
        self._projects.setdefault(project.replace("_", "-"), {})[filename] = hashlib.sha256(data).hexdigest()
        return f"{self.url}/files/{filename}"

    def hold(self, path: str) -> threading.Event:
        """Let requests for a path wait until they are released; the event tells when the first has come."""
        return self._arrivals.setdefault(path, threading.Event())

    def release(self) -> None:
        """Answer what waits."""
        self._released.set()

    def __enter__(self) -> Index:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering; may be called again."""
        if not self._closing.is_set():
            self._closing.set()
            self.release()
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def answer(self, path: str, authorization: str | None) -> Answer:
        self.requests.append((path, authorization))
        if path in self._arrivals:
            self._arrivals[path].set()
            self._released.wait()
        if path in self.answers:
            answer = self.answers[path]
            if isinstance(answer, Answer):
                return answer
            return answer.pop(0) if len(answer) > 1 else answer[0]
        project = path.removeprefix("/simple/").rstrip("/")
        if path.startswith("/simple/") and project in self._projects:
            return Answer(self._page(project), headers=(("Content-Type", "text/html"),))
        return Answer(b"not here", status=404)

    def _page(self, project: str) -> bytes:
        links = "".join(
            f'<a href="/files/{filename}#sha256={sha256}">{filename}</a>\n'
            for filename, sha256 in self._projects[project].items()
        )
        return f"<!DOCTYPE html><html><body>{links}</body></html>".encode()


class _Server(ThreadingHTTPServer):
    index: Index


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        index = cast("_Server", self.server).index
        answer = index.answer(self.path, self.headers.get("Authorization")).part(self.headers.get("Range"))
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(answer.body[: answer.cut])
            if answer.cut is not None:
                self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass
