"""Private indexes: every way in that uv knows reaches the files, and no login is left anywhere.

The index is pypiserver with basic authentication, at the address where the engine's containers reach this machine.
"""

import base64
import io
import ipaddress
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import docker
import docker.errors
import pytest

from lambdabuild.builders.container import LABEL
from lambdabuild.builders.docker import CACHE_VOLUME
from tests.wheels import wheel

MARK = "c4n4ry"
"""Begins every secret."""
USER, PASSWORD, TOKEN = f"{MARK}-us%er", f"{MARK}-p@ss/w rd:%", f"{MARK}-t@ken/"
NEEDLES = (MARK.encode(), base64.b64encode(MARK.encode())[:8])
STARTED = time.time()
BUILDERS = ["docker", "host"]
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
import os, pathlib, zipfile
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
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.writestr("private_source.py", f"seen = {{seen}}")
        wheel.writestr(info + "/METADATA", "Metadata-Version: 2.2\\nName: private-source\\nVersion: 1.0\\n")
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        names = ["private_source.py", *(info + "/" + name for name in ("METADATA", "WHEEL", "RECORD"))]
        wheel.writestr(info + "/RECORD", "".join(name + ",,\\n" for name in names))
    return name
"""


def add_files(folder: Path) -> None:
    """A wheel and a source distribution that needs nothing to be built, and looks around when it is."""
    folder.mkdir()
    one = wheel("private_one", files={"private_one.py": "ONE = 1\n"})
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


@pytest.fixture(scope="session")
def gateway(docker_client: docker.DockerClient) -> str:
    """The address of this machine in the engine's default network."""
    config = docker_client.networks.get("bridge").attrs["IPAM"]["Config"][0]
    return str(config.get("Gateway") or ipaddress.ip_network(config["Subnet"])[1])


Serve = Callable[..., PrivateIndex]


@pytest.fixture
def serve(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts an index with two distributions."""
    with ExitStack() as stack:

        def start(
            *, host: str = gateway, user: str = USER, password: str = PASSWORD, files: str = "", tls: Path | None = None
        ) -> PrivateIndex:
            folder = tmp_path_factory.mktemp("index")
            add_files(folder / "files")
            certificates = (str(tls / "server.pem"), str(tls / "ca.pem")) if tls else ("", "")
            options = [host, str(folder / "files"), user, password, files, *certificates, str(folder / "log")]
            command = [sys.executable, "-W", "ignore", "-c", SERVER]
            server = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            stack.callback(server.kill)
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(json.dumps(options).encode() + b"\n")
            server.stdin.flush()
            port = int(server.stdout.readline())
            scheme = "https" if tls else "http"
            log = folder / "log"
            return PrivateIndex(host=host, port=port, log=log, user=user, password=password, scheme=scheme)

        yield start


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


OWN = {"UV_INDEX_OWN_USERNAME": USER, "UV_INDEX_OWN_PASSWORD": PASSWORD}
EXPLICIT = """
[tool.uv.sources]
private-one = { index = "own" }
private-source = { index = "own" }
[[tool.uv.index]]
name = "own"
explicit = true
"""
WAYS = {
    "UV_INDEX": Way(env={"UV_INDEX": "own=SIGNED"}),
    "UV_DEFAULT_INDEX": Way(env={"UV_DEFAULT_INDEX": "SIGNED"}),
    "UV_EXTRA_INDEX_URL": Way(env={"UV_EXTRA_INDEX_URL": "SIGNED"}),
    "UV_INDEX_URL": Way(env={"UV_INDEX_URL": "SIGNED"}),
    "variables of a name": Way(env={"UV_INDEX": "own=PLAIN", **OWN}),
    "variables of an explicit index": Way(env=OWN, settings=f'{EXPLICIT}url = "PLAIN"'),
    "pyproject.toml": Way(settings=f'{EXPLICIT}url = "SIGNED"'),
    "NETRC": Way(env={"UV_DEFAULT_INDEX": "PLAIN", "NETRC": "HOME/logins"}, netrc="logins"),
    "home netrc": Way(env={"UV_DEFAULT_INDEX": "PLAIN"}, netrc=".netrc"),
    "a token": Way(env={"UV_INDEX": "SIGNED"}, user=TOKEN, password=""),
    "PIP_INDEX_URL": Way(env={"PIP_INDEX_URL": "SIGNED"}, lock={"UV_DEFAULT_INDEX": "SIGNED"}),
    "PIP_EXTRA_INDEX_URL": Way(env={"PIP_EXTRA_INDEX_URL": "SIGNED"}, lock={"UV_INDEX": "SIGNED"}),
    "URLs of files": Way(urls=True),
}


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


@pytest.fixture
def make_site(serve: Serve, tmp_path: Path, lambdabuild: Callable) -> Callable[..., Site]:
    return lambda index=None, **options: Site(index=index or serve(**options), folder=tmp_path, lambdabuild=lambdabuild)


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


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_every_way_in_leaves_no_login_behind(
    way: Way, builder: str, make_site: Callable[..., Site], docker_client: docker.DockerClient
) -> None:
    site = make_site(user=way.user, password=way.password)
    site.lock(way, *(["private-one", "private-source"] if builder == "docker" else ["private-one"]))
    site.index.forget()
    with watched(docker_client) as seen:
        done = site.build("layer", "--builder", builder, env=way.env)
        again = site.build("package", "--fat", "--builder", builder, env=way.env)
    assert ("private_one-1.0-py3-none-any.whl", site.index.login) in site.index.downloads
    layer = site.layer()
    assert layer["python/private_one.py"] == b"ONE = 1\n"
    if builder == "docker":
        assert ("private_source-1.0.tar.gz", site.index.login) in site.index.downloads
        assert layer["python/private_source.py"] == b"seen = []"
        assert any("exec_create" in text for text in seen)
        assert any('"ExecIDs": ["' in text for text in seen)
    assert any("pip\0install" in text for text in seen)
    assert marked(seen) == []
    assert marked({done.stdout, done.stderr, again.stdout, again.stderr}) == []
    own = {f"home/{way.netrc}"} | ({"project/pyproject.toml"} if "SIGNED" in way.settings else set())
    assert set(site.marked_files()) <= own | ({"project/pyproject.toml", "project/uv.lock"} if way.urls else set())


def test_images_and_the_cache_of_uv_hold_no_login(docker_client: docker.DockerClient, image_for: Callable) -> None:
    """After the builds above: the volume that stays, and what is told of images."""
    for image in docker_client.images.list():
        assert marked({json.dumps(image.history()), json.dumps(image.attrs)}) == []
    program = (
        "import pathlib\n"
        "files = [path for path in pathlib.Path('/cache').rglob('*') if path.is_file()]\n"
        f"files = [path for path in files if path.stat().st_ctime >= {STARTED}]\n"
        f"found = [str(path) for path in files if any(n in path.read_bytes() for n in {NEEDLES!r})]\n"
        "print(any('private_one' in str(path) for path in files), found)"
    )
    output = docker_client.containers.run(
        image_for("3.13"),
        entrypoint=["/var/lang/bin/python3.13", "-c", program],
        command=[],
        volumes={CACHE_VOLUME: {"bind": "/cache", "mode": "ro"}},
        remove=True,
    )
    assert output.decode().strip() == "True []"


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("name", ["private-one", "private-source"])
@pytest.mark.parametrize("password", [f"{MARK}-wrong", None], ids=["wrong", "missing"])
def test_a_login_that_is_wrong_or_missing(
    name: str, password: str | None, builder: str, make_site: Callable[..., Site]
) -> None:
    if (name, builder) == ("private-source", "host"):
        pytest.skip("the host builder builds no source distribution")
    site = make_site()
    site.lock(WAYS["variables of an explicit index"], name)
    env = {**OWN, "UV_INDEX_OWN_PASSWORD": password} if password else {}
    done = site.build("layer", "--builder", builder, env=env, code=4)
    error = done.stderr[done.stderr.index("error: ") :]
    assert ("403" if password else "401") in error
    assert f"  hint: {site.index.place} wants a login: UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD" in error
    assert marked({done.stdout, done.stderr}) == []


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_login_is_shown_to_the_host_that_it_was_given_for(
    builder: str, serve: Serve, make_site: Callable[..., Site]
) -> None:
    files = serve(user=f"{MARK}-other", password=f"{MARK}-pw")
    site = make_site(files=f"http://{files.place}")
    env = {"UV_INDEX": f"own=SIGNED files={files.signed}"}
    site.lock(Way(env=env), "private-one")
    site.build("layer", "--builder", builder, env=env)
    assert ("private_one-1.0-py3-none-any.whl", files.login) in files.downloads
    assert site.index.downloads == set()
    for index in (site.index, files):
        assert {login for _, login in index.asked} - {""} <= {index.login}


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_login_is_shown_to_no_other_host(builder: str, serve: Serve, make_site: Callable[..., Site]) -> None:
    files = serve(user=f"{MARK}-other", password=f"{MARK}-pw")
    site = make_site(files=f"http://{files.place}")
    site.lock(Way(env={"UV_INDEX": f"own=SIGNED files={files.signed}"}), "private-one")
    files.forget()
    done = site.build("layer", "--builder", builder, env={"UV_INDEX": "own=SIGNED"}, code=4)
    assert f"  hint: {files.place} wants a login" in done.stderr
    assert {login for _, login in files.asked} == {""}
