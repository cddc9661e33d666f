"""Distributions without a wheel: compiled in the builder image, in a container that holds no credentials."""

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import docker
import pytest
from integration.lambda_image import LambdaImage

EXTENSION = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *ignored) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", "", -1, methods};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
"""
SETUP = """
import os, pathlib
from setuptools import Extension, setup
secrets = [name + '=' + value for name, value in os.environ.items() if 'canary' in value]
for top in ('/run', '/work', os.path.expanduser('~')) if os.path.isdir('/var/lang') else ():
    for folder, _, names in os.walk(top):
        for path in (pathlib.Path(folder, name) for name in names if name.endswith(('.toml', '.netrc', '.json'))):
            try:
                if b'canary' in path.read_bytes():
                    secrets.append(str(path))
            except OSError:
                pass
pathlib.Path('seen_by_build.py').write_text('seen = ' + repr(secrets))
setup(name='native', version='1.0', ext_modules=[Extension('native', ['native.c'])], py_modules=['seen_by_build'])
"""


@pytest.fixture
def index(tmp_path: Path):
    """A simple index on loopback that only this machine reaches, not the containers."""
    root = tmp_path / "index"
    (root / "simple" / "native").mkdir(parents=True)
    add(root, {"setup.py": SETUP, "native.c": EXTENSION})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield root, server.server_address[1]
    server.shutdown()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def add(root: Path, files: dict[str, str]) -> None:
    """The sdist ``native-1.0.tar.gz`` with these files, and its page."""
    files = {**files, "PKG-INFO": "Metadata-Version: 2.1\nName: native\nVersion: 1.0\n"}
    sdist = root / "simple" / "native" / "native-1.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"native-1.0/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    sha256 = hashlib.sha256(sdist.read_bytes()).hexdigest()
    (sdist.parent / "index.html").write_text(f'<a href="{sdist.name}#sha256={sha256}">{sdist.name}</a>')


@pytest.fixture
def project(tmp_path: Path, index: tuple[Path, int]) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(f"""
[project]
name = "project"
version = "1"
requires-python = ">=3.10"
dependencies = ["native", "six"]

[tool.uv.sources]
native = {{ index = "own" }}

[[tool.uv.index]]
name = "own"
url = "http://127.0.0.1:{index[1]}/simple"
explicit = true

[tool.lambdabuild]
python = "3.13"
""")
    return folder


def test_an_extension_is_compiled_and_runs_in_the_image(
    project: Path, lambdabuild: Callable, docker_client: docker.DockerClient, image_for: Callable[[str], str]
) -> None:
    secrets = {"UV_INDEX_OWN_USERNAME": "canary-user", "UV_INDEX_OWN_PASSWORD": "canary-password"}
    done = lambdabuild("layer", "--project", project, "--lock", "--builder", "docker", env=secrets)
    assert "building native 1.0 from source …\n" in done.stderr
    layer = project / "dist" / "lambda" / "layer.zip"
    with zipfile.ZipFile(layer) as archive:
        assert archive.read("python/seen_by_build.py") == b"seen = []"
    function = project / "function.zip"
    with zipfile.ZipFile(function, "w") as archive:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o644 << 16
        archive.writestr(info, "import native, six\ndef handler(event, context):\n    return native.answer()\n")
    image = LambdaImage(docker_client, image_for("3.13"))
    answer = image.invoke(function=function, layers=[layer], handler="app.handler", event={})
    assert (answer.error, answer.payload) == (None, 42)


def test_the_same_sdist_gives_the_same_bytes(project: Path, lambdabuild: Callable, tmp_path: Path) -> None:
    archives, networked = [], []
    config = project / "pyproject.toml"
    for name, build in (("first", 'network = ["natve"]'), ("second", 'network = ["native"]')):
        config.write_text(
            f"{config.read_text().partition('[tool.lambdabuild.build]')[0]}[tool.lambdabuild.build]\n{build}\n"
        )
        cold = {"LAMBDABUILD_CACHE_DIR": str(tmp_path / f"cache-{name}")}
        output = tmp_path / name
        argv = ("layer", "--project", project, "--output", output, "--lock", "--builder", "docker")
        done = lambdabuild(*argv, env=cold)
        misspelt = 'build.network names "natve", which is no distribution of this build\n  hint: did you mean "native"?'
        assert (misspelt in done.stderr) == (name == "first")
        archives.append((output / "layer.zip").read_bytes())
        (made,) = json.loads((output / "manifest.json").read_text())["artifacts"]
        networked.append(made["built_with_network"])
    assert archives[0] == archives[1]
    assert networked == [[], ["native 1.0"]]


def test_a_build_that_fails(project: Path, index: tuple[Path, int], lambdabuild: Callable) -> None:
    add(index[0], {"setup.py": SETUP, "native.c": EXTENSION.replace("return PyLong", "return Unknown")})
    done = lambdabuild("layer", "--project", project, "--lock", "--builder", "docker", code=1)
    error = done.stderr[done.stderr.index("error: ") :]
    assert error.startswith(
        "error: native 1.0 has no wheel for python3.13 x86_64, only a source distribution; "
        "building it in the builder image failed:\n"
    )
    assert "Unknown_FromLong" in error
    assert error.endswith("  hint: choose a version of native that has a wheel for the target, or leave it out\n")


def test_a_file_that_is_not_the_locked_one(project: Path, index: tuple[Path, int], lambdabuild: Callable) -> None:
    lambdabuild("layer", "--project", project, "--lock", "--builder", "docker")
    add(index[0], {"setup.py": SETUP + "# changed", "native.c": EXTENSION})
    done = lambdabuild(
        "layer", "--project", project, "--builder", "docker", env={"LAMBDABUILD_CACHE_DIR": str(project / "c")}, code=3
    )
    error = done.stderr[done.stderr.index("error: ") :].splitlines()
    assert error[0] == "error: native-1.0.tar.gz has not the hash that was locked"
    assert [line.split()[:2] for line in error[1:3]] == [["expected", "sha256"], ["computed", "sha256"]]
    assert error[3] == "  hint: the file is not the one that was locked: do not use it before you know why"
