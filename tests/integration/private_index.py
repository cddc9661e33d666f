"""What the tests of private indexes use: the index itself, a project locked against it, and what looks for logins."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import docker
import docker.errors

from lambdabuild.builders.ownership import LABEL
from tests.wheels import wheel

MARK = "c4n4ry"
"""Begins every secret."""
USER, PASSWORD, TOKEN = f"{MARK}-us%er", f"{MARK}-p@ss/w rd:%", f"{MARK}-t@ken/"
NEEDLES = (MARK.encode(), base64.b64encode(MARK.encode())[:8])
SERVER = """
import base64, json, ssl, sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
import pypiserver

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    def handle_error(self, *args):
        pass

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

def logged(environ, start):
    header = environ.get("HTTP_AUTHORIZATION", "")[len("Basic "):]
    log.write(json.dumps([environ["PATH_INFO"], header and base64.b64decode(header).decode()]) + "\\n")
    log.flush()
    if not files or not environ["PATH_INFO"].startswith("/simple/"):
        return app(environ, start)
    answer = []
    body = b"".join(app(environ, lambda *status: answer.extend(status)))
    body = body.replace(b'"/packages/', f'"{files}/packages/'.encode())
    headers = [pair for pair in answer[1] if pair[0].lower() != "content-length"]
    start(answer[0], [*headers, ("Content-Length", str(len(body)))])
    return [body]

host, folder, user, password, files, certificates, authorities, path = json.loads(sys.stdin.readline())
log = open(path, "a")
app = pypiserver.app(
    roots=[folder], authenticate=["update", "download", "list"], disable_fallback=True,
    auther=lambda *login: login == (user, password),
)
server = make_server(host, 0, logged, server_class=Server, handler_class=Quiet)
if certificates:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_port, flush=True)
server.serve_forever()
"""
BACKEND = f"""
import base64, hashlib, os, pathlib, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    mark = bytes.fromhex({MARK.encode().hex()!r})
    seen = [name for name, value in os.environb.items() if mark in value]
    for root in ("/run", "/tmp", "/work", "/cache", "/proc"):
        for folder, folders, files in os.walk(root):
            for path in (os.path.join(folder, name) for name in files if root != "/proc" or name == "environ"):
                try:
                    with open(path, "rb") as file:
                        seen += [path] * (mark in file.read())
                except OSError:
                    pass
    info, name = "private_source-1.0.dist-info", "private_source-1.0-py3-none-any.whl"
    files = {{
        "private_source.py": f"seen = {{seen}}",
        info + "/METADATA": "Metadata-Version: 2.2\\nName: private-source\\nVersion: 1.0\\n",
        info + "/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }}
    hashes = {{path: hashlib.sha256(text.encode()).digest() for path, text in files.items()}}
    rows = [f"{{path}},sha256={{base64.urlsafe_b64encode(one).decode().rstrip('=')}}," for path, one in hashes.items()]
    files[info + "/RECORD"] = "\\n".join([*rows, info + "/RECORD,,", ""])
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""


def add_files(folder: Path, *, fresh: str) -> None:
    """A wheel, with a text that makes it another file than those of other tests, and a source distribution that needs
    nothing to be built, and looks around when it is."""
    folder.mkdir()
    # A file with the hash of the lock would be taken from uv's cache, whoever served it.
    one = wheel("private_one", files={"private_one.py": "ONE = 1\n", "private_one.txt": fresh})
    (folder / one.filename).write_bytes(one.data)
    files = {
        "PKG-INFO": "Metadata-Version: 2.2\nName: private-source\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND,
    }
    with tarfile.open(folder / "private_source-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"private_source-1.0/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


@dataclass(frozen=True)
class PrivateIndex:
    """pypiserver that lets one user in."""

    host: str
    port: int
    log: Path
    user: str = USER
    password: str = PASSWORD
    scheme: str = "http"

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def plain(self) -> str:
        return f"{self.scheme}://{self.place}/simple/"

    @property
    def signed(self) -> str:
        """With the login in it."""
        userinfo = quote(self.user, safe="") + (":" + quote(self.password, safe="") if self.password else "")
        return f"{self.scheme}://{userinfo}@{self.place}/simple/"

    @property
    def login(self) -> str:
        return f"{self.user}:{self.password}"

    @property
    def asked(self) -> set[tuple[str, str]]:
        """Path and ``user:password`` of every request."""
        return {(path, login) for path, login in map(json.loads, self.log.read_text().splitlines())}

    @property
    def downloads(self) -> set[tuple[str, str]]:
        return {(path.rpartition("/")[2], login) for path, login in self.asked if path.startswith("/packages/")}

    def forget(self) -> None:
        os.truncate(self.log, 0)


@contextmanager
def serving(
    folder: Path,
    host: str,
    *,
    fresh: str,
    user: str = USER,
    password: str = PASSWORD,
    files: str = "",
    tls: Path | None = None,
) -> Iterator[PrivateIndex]:
    """An index with two distributions; ``files`` is where its pages say that the files are, when not here.

    It runs in a process of its own, since pypiserver changes how the process that imports it imports anything else.
    """
    add_files(folder / "files", fresh=fresh)
    certificates = (str(tls / "server.pem"), str(tls / "ca.pem")) if tls else ("", "")
    log = folder / "log"
    options = [host, str(folder / "files"), user, password, files, *certificates, str(log)]
    command = [sys.executable, "-W", "ignore", "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(json.dumps(options).encode() + b"\n")
            server.stdin.flush()
            port = int(server.stdout.readline())
            scheme = "https" if tls else "http"
            yield PrivateIndex(host=host, port=port, log=log, user=user, password=password, scheme=scheme)
        finally:
            server.kill()


@dataclass(frozen=True)
class Way:
    """How a login is given; PLAIN, SIGNED, FILES and HOME stand for URLs of the index and for the home folder."""

    env: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    """Of uv, in pyproject.toml."""
    netrc: str | None = None
    """The name of that file in the home folder."""
    lock: Mapping[str, str] | None = None
    """The environment of ``uv lock`` where it is another one."""
    urls: bool = False
    """The dependencies are URLs of files."""
    user: str = USER
    password: str = PASSWORD


@dataclass(frozen=True)
class Site:
    """A project that is locked against an index, and all the places that a build may write to."""

    index: PrivateIndex
    folder: Path
    lambdabuild: Callable[..., subprocess.CompletedProcess[str]]

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def environ(self) -> dict[str, str]:
        """Of the build and of uv lock: places of their own, no proxies, no settings."""
        names = ("PIP_", "UV_", "http", "HTTP", "all_", "ALL_", "NETRC")
        cleared = dict.fromkeys((name for name in os.environ if name.startswith(names)), "")
        home = self.folder / "home"
        own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "UV_CACHE_DIR": str(self.folder / "uv-cache")}
        return {**cleared, **own, "LAMBDABUILD_CACHE_DIR": str(self.folder / "cache"), "UV_HTTP_RETRIES": "0"}

    def filled(self, text: str) -> str:
        files = self.index.signed.replace("/simple/", "/packages")
        for name, value in {"PLAIN": self.index.plain, "SIGNED": self.index.signed, "FILES": files}.items():
            text = text.replace(name, value)
        return text.replace("HOME", str(self.folder / "home"))

    def lock(self, way: Way, *names: str) -> None:
        """Write the project and lock it."""
        (self.folder / "home").mkdir()
        self.project.mkdir()
        files = {"private-one": "private_one-1.0-py3-none-any.whl", "private-source": "private_source-1.0.tar.gz"}
        wanted = [f"{name} @ FILES/{files[name]}" if way.urls else name for name in names]
        (self.project / "pyproject.toml").write_text(
            '[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.10"\n'
            + self.filled(f"dependencies = {json.dumps(wanted)}\n{way.settings}\n")
            + '[tool.lambdabuild]\npython = "3.13"\n[tool.lambdabuild.functions.app]\nhandler = "app.handler"\n'
        )
        (self.project / "app.py").write_text("import private_one\ndef handler(event, context): ...\n")
        if way.netrc is not None:
            netrc = f'machine {self.index.host}\nlogin "{USER}"\npassword "{PASSWORD}"\n'
            (self.folder / "home" / way.netrc).write_text(netrc)
        environ = {**os.environ, **self.environ, **self.env(way.env if way.lock is None else way.lock)}
        command = [sys.executable, "-m", "uv", "lock", "--quiet", "--project", str(self.project)]
        subprocess.run(command, env={name: value for name, value in environ.items() if value}, check=True)

    def env(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {**self.environ, **{name: self.filled(value) for name, value in variables.items()}}

    def build(self, *command: str, env: Mapping[str, str], code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.lambdabuild("-v", *command, "--project", self.project, env=self.env(env), code=code)

    def layer(self) -> Mapping[str, bytes]:
        with zipfile.ZipFile(self.project / "dist" / "lambda" / "layer.zip") as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def marked_files(self, needles: tuple[bytes, ...] = NEEDLES) -> list[str]:
        """The files that hold a secret, members of archives included."""
        found = []
        for path in self.folder.rglob("*"):
            if path.is_file():
                contents = [path.read_bytes()]
                if zipfile.is_zipfile(path):
                    with zipfile.ZipFile(path) as archive:
                        contents += [archive.read(name) for name in archive.namelist()]
                if any(needle in content for content in contents for needle in needles):
                    found.append(str(path.relative_to(self.folder)))
        return found


@contextmanager
def watched(client: docker.DockerClient) -> Iterator[set[str]]:
    """What the engine tells of its containers, and the arguments of every process, as long as it lasts."""
    seen: set[str] = set()
    over = threading.Event()
    events = client.events()

    def listen() -> None:
        seen.update(event.decode() for event in events)

    def inspect() -> None:
        while not over.is_set():
            for container in client.api.containers(filters={"label": f"{LABEL}=run"}):
                try:
                    told = client.api.inspect_container(container["Id"])
                    seen.add(json.dumps(told))
                    seen.update(json.dumps(client.api.exec_inspect(each)) for each in told["ExecIDs"] or ())
                except docker.errors.APIError:
                    pass
            over.wait(0.02)

    def look() -> None:
        while not over.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    seen.add(process.joinpath("cmdline").read_text(errors="replace"))
            over.wait(0.005)

    threads = [threading.Thread(target=target) for target in (listen, inspect, look)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        events.close()
        for thread in threads:
            thread.join()


def marked(texts: set[str], needles: tuple[bytes, ...] = NEEDLES) -> list[str]:
    return [text for text in texts if any(needle in text.encode() for needle in needles)]


def make_certificates(folder: Path, host: str) -> None:
    """An authority, a server's certificate and a client's, each with its key."""

    def openssl(*argv: str) -> None:
        subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(*new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
    for name, extension in [
        ("server", f"subjectAltName=IP:{host}"),
        ("client", "subjectAltName=DNS:client\nextendedKeyUsage=clientAuth"),
    ]:
        openssl(*new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(extension)
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext")
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.crt", "-days", "2")
        text = (folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text()
        (folder / f"{name}.pem").write_text(text)


class Proxy(BaseHTTPRequestHandler):
    """Fetches for those who show its login."""

    login = f"{MARK}-proxy:{MARK}-pr@xy"

    def do_GET(self) -> None:
        authorization = self.headers.get("Proxy-Authorization")
        if authorization != "Basic " + base64.b64encode(self.login.encode()).decode():
            self.send_error(407)
            return
        headers = {name: self.headers[name] for name in ("Authorization", "Range") if name in self.headers}
        request = Request(self.path, headers=headers, method=self.command)
        try:
            answer = build_opener(ProxyHandler({})).open(request, timeout=60)
        except HTTPError as error:
            answer = error
        with answer:
            body = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "Content-Length", "Content-Range"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def proxying(host: str) -> Iterator[str]:
    """A proxy that wants a login; its address."""
    server = ThreadingHTTPServer((host, 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
