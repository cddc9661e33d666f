"""Bytecode and symbols on a real engine: made in the image, used by the runtime, the same bytes each time."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from integration.lambda_image import LambdaImage

from tests.libraries import library
from tests.wheels import Wheel, wheel

LIBRARY = """
import sys

def fail():
    raise LookupError("nothing is here")

def own():
    return __cached__
"""
PY2 = "print 'a template for another Python'\n"
APP = """
import linecache, traceback
import lib

def handler(event, context):
    try:
        lib.fail()
    except LookupError as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [[frame.filename, frame.lineno, frame.line] for frame in frames]
    return {"frames": lines, "cached": [__cached__, lib.own()]}
"""
LIB = wheel("lib", files={"lib/__init__.py": LIBRARY, "lib/templates/py2.py": PY2, "lib/tests/test_it.py": "x = 1\n"})
SYMBOLS = {
    "native/__init__.py": "",
    "native/good.so": library(),
    "native/brittle.so": library(hidden=True),
    "native/left.so": library(abandoned=True),
    "native/payload.so": library(behind=b"a program's own data"),
    "native/foreign.so": library(machine=183),
    "native.libs/libgrafted.so.5": library(symbols=7),
}
NATIVE = wheel("native", files=SYMBOLS, tag="cp39-abi3-manylinux_2_17_x86_64")
BROKEN = "80 bytes at address 0x2000 would change"
MISPLACED = "its segment at address 0x2000 would not be aligned"


def project(folder: Path, python: str, *wheels: Wheel, settings: str) -> Path:
    """A locked project that needs wheels which no index serves, with a function ``api``."""
    folder.mkdir(exist_ok=True)
    for one in wheels:
        (folder / one.filename).write_bytes(one.data)
    names = ", ".join(f'"{one.name}"' for one in wheels)
    sources = "".join(f'{one.name} = {{ path = "{one.filename}" }}\n' for one in wheels)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{names}]\n'
        f"[tool.uv.sources]\n{sources}"
        f'[tool.lambdabuild]\npython = "{python}"\n{settings}\n'
        '[tool.lambdabuild.functions.api]\nhandler = "app.handler"\n'
    )
    (folder / "app.py").write_text(APP)
    subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--project", folder], check=True)
    return folder


def built(lambdabuild: Callable, folder: Path, *argv: object, **options: object) -> dict:
    """The report of a build by the docker builder."""
    done = lambdabuild(*argv, "--project", folder, "--builder", "docker", "--no-verify", "--json", **options)
    return json.loads(done.stdout)


def artifact(report: dict, path: str) -> dict:
    return next(one for one in report["artifacts"] if one["path"] == path)


def read(folder: Path, archive: str) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / "dist" / "lambda" / archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def digests(report: dict) -> dict[str, str]:
    return {one["path"]: one["sha256"] for one in report["artifacts"]}


@pytest.fixture
def image_of(docker_client: docker.DockerClient, image_for: Callable[[str], str]) -> Callable[[str], LambdaImage]:
    return lambda python: LambdaImage(docker_client, image_for(python))


def altered(path: Path, name: str) -> Path:
    """The archive with one source that raises when it is compiled: only bytecode can stand for it."""
    changed = path.with_name(f"altered-{path.name}")
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(changed, "w") as after:
        for info in before.infolist():
            after.writestr(info, b"this is no Python\n" if info.filename == name else before.read(info))
    return changed


@pytest.mark.parametrize("python", ["3.11", "3.13", "3.14"])
def test_the_runtime_uses_the_bytecode(
    python: str, tmp_path: Path, lambdabuild: Callable, image_of: Callable[[str], LambdaImage]
) -> None:
    folder = project(tmp_path / "shop", python, LIB, settings='bytecode = "compile"')
    report = built(lambdabuild, folder, "package")
    tag, output = f"cpython-{python.replace('.', '')}", folder / "dist" / "lambda"
    compiled = f"python/lib/__pycache__/__init__.{tag}.pyc"
    layer = read(folder, "layer.zip")
    assert sorted(name for name in layer if name.endswith(".pyc")) == [compiled]
    assert sorted(name for name in read(folder, "api.zip")) == [f"__pycache__/app.{tag}.pyc", "app.py"]
    assert artifact(report, "layer.zip")["bytecode_size"] == len(layer[compiled])
    assert artifact(report, "layer.zip")["bytecode_python"].startswith(f"{python}.")
    answer = image_of(python).invoke(
        function=output / "api.zip",
        layers=[altered(output / "layer.zip", "python/lib/__init__.py")],
        handler="app.handler",
        event={},
    )
    assert answer.error is None
    assert answer.payload["cached"] == [f"/var/task/__pycache__/app.{tag}.pyc", f"/opt/{compiled}"]
    places = [(path, number) for path, number, _ in answer.payload["frames"]]
    assert places == [("/var/task/app.py", 7), ("/opt/python/lib/__init__.py", 5)]
    assert answer.payload["frames"][0][2] == "lib.fail()"


def test_what_bytecode_saves_is_measured(tmp_path: Path, lambdabuild: Callable) -> None:
    folder = project(tmp_path / "shop", "3.13", LIB, settings='bytecode = "compile"')
    done = lambdabuild("package", "--project", folder, "--builder", "docker", "--verify")
    number = r"\d+\.\d\d s"
    line = rf"with bytecode the handlers' imports take, of the processor: api\.zip {number} instead of {number}\n"
    assert re.search(line, done.stdout)


def test_bytecode_in_a_fat_archive_and_another_layout(tmp_path: Path, lambdabuild: Callable) -> None:
    layer = 'bytecode = "compile"\n[tool.lambdabuild.layers.base]\nlayout = "site-packages"\n'
    folder = project(tmp_path / "shop", "3.13", LIB, settings=layer)
    built(lambdabuild, folder, "layer")
    built(lambdabuild, folder, "package", "--fat")
    for archive, root, place in (
        ("base.zip", "python/lib/python3.13/site-packages/", "/opt/python/lib/python3.13/site-packages/"),
        ("api-fat.zip", "", "/var/task/"),
    ):
        content = read(folder, archive)[f"{root}lib/__pycache__/__init__.cpython-313.pyc"]
        assert content[4:8] == b"\1\0\0\0"  # PEP 552: by hash, never checked
        assert f"{place}lib/__init__.py".encode() in content


def test_bytecode_is_the_same_each_time(tmp_path: Path, lambdabuild: Callable) -> None:
    alone = project(tmp_path / "alone", "3.13", LIB, settings='bytecode = "compile"')
    among = project(tmp_path / "among", "3.13", LIB, NATIVE, settings='bytecode = "compile"')
    first = built(lambdabuild, alone, "package", env={"LAMBDABUILD_CACHE_DIR": str(tmp_path / "cold")})
    second = built(lambdabuild, alone, "package", "--output", tmp_path / "second")
    third = built(lambdabuild, alone, "package", "--output", tmp_path / "third")
    assert digests(first) == digests(second) == digests(third)
    assert (third["distributions_installed"], third["distributions_cached"]) == (0, 1)
    built(lambdabuild, among, "package", env={"LAMBDABUILD_CACHE_DIR": str(tmp_path / "colder")})
    path = "python/lib/__pycache__/__init__.cpython-313.pyc"
    assert read(alone, "layer.zip")[path] == read(among, "layer.zip")[path]


def test_an_option_that_changes_reinstalls_nothing(tmp_path: Path, lambdabuild: Callable) -> None:
    folder = tmp_path / "shop"
    installed, found = [], []
    settings = ["", 'bytecode = "compile"', "strip-symbols = true", 'bytecode = "compile"\nstrip-symbols = true', ""]
    for setting in settings:
        report = built(lambdabuild, project(folder, "3.13", LIB, NATIVE, settings=setting), "layer")
        installed.append(report["distributions_installed"])
        found.append(digests(report))
    assert installed[1:] == [0, 0, 0, 0]
    assert found[0] == found[-1]
    assert len({str(one) for one in found}) == 4


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_symbols_are_stripped_where_that_breaks_nothing(
    python: str, tmp_path: Path, lambdabuild: Callable, image_of: Callable[[str], LambdaImage]
) -> None:
    folder = project(tmp_path / "shop", python, NATIVE, settings='strip-symbols = true\ndist-info = "keep"')
    done = lambdabuild("layer", "--project", folder, "--builder", "docker", "--no-verify")
    layer = {path.removeprefix("python/"): data for path, data in read(folder, "layer.zip").items()}
    changed = {path: len(data) - len(layer[path]) for path, data in NATIVE.files.items() if layer[path] != data}
    record = dict(row.split(",", 1) for row in layer["native-1.0.dist-info/RECORD"].decode().splitlines())
    assert record["native/good.so"].endswith(f",{len(layer['native/good.so'])}")
    del changed["native-1.0.dist-info/RECORD"]
    # Whether strip breaks it depends on binutils: it is smaller, or restored.
    restored = {} if "native/left.so" in changed else {"python/native/left.so": MISPLACED}
    restored["python/native/brittle.so"] = BROKEN
    assert changed.keys() - {"native/left.so"} == {"native/good.so"}
    assert changed["native/good.so"] > 10_000
    told = "; ".join(f"{path} ({why})" for path, why in sorted(restored.items()))
    assert (
        f"note: layer.zip has shared objects that break without their symbols, and keep them: {told}\n"
    ) in done.stderr
    saved = sum(changed.values())
    assert f"\nsymbols left out: layer.zip {saved / 1000:.1f} kB unzipped\n" in done.stdout
    (made,) = json.loads((folder / "dist" / "lambda" / "manifest.json").read_text())["artifacts"]
    assert made["symbols"] == {"saved": saved, "restored": restored}
    assert made["strip_version"].startswith("GNU strip ")
    (tmp_path / "probe.zip").write_bytes(wheel("probe", files={"probe.py": PROBE}).data)
    imported = image_of(python).imports(tmp_path / "probe.zip", [folder / "dist" / "lambda" / "layer.zip"], ["probe"])
    assert imported == {"probe": None}


PROBE = """
import ctypes
for name in ("good", "brittle", "payload", "left"):
    ctypes.CDLL(f"/opt/python/native/{name}.so")
"""


def test_symbols_are_stripped_the_same_each_time(tmp_path: Path, lambdabuild: Callable) -> None:
    folder = project(tmp_path / "shop", "3.13", NATIVE, settings="strip-symbols = true")
    first = built(lambdabuild, folder, "layer", env={"LAMBDABUILD_CACHE_DIR": str(tmp_path / "cold")})
    second = built(lambdabuild, folder, "layer", "--output", tmp_path / "second")
    assert digests(first) == digests(second)
    assert hashlib.sha256((tmp_path / "second" / "layer.zip").read_bytes()).hexdigest() in digests(second).values()


def test_the_host_builder_strips_no_symbols(tmp_path: Path, lambdabuild: Callable) -> None:
    folder = project(tmp_path / "shop", "3.13", NATIVE, settings="strip-symbols = true")
    done = lambdabuild("layer", "--project", folder, "--builder", "host", code=1)
    assert done.stderr[done.stderr.index("error: ") :] == (
        "error: symbols for python3.13 x86_64 are stripped by its own binutils, and the host builder has none\n"
        "  hint: build in the Lambda image (--builder docker), or leave out strip-symbols\n"
    )
