"""What verification finds in the runtime image, each kind provoked, its message whole."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import docker
import docker.errors
import pytest
from docker.models.containers import Container

from lambdabuild.builders.engine import Engine
from lambdabuild.builders.sandbox import Sandboxes, read_program
from lambdabuild.configfile import read_runtimes
from lambdabuild.errors import BuildError
from lambdabuild.manifest import file_sha256
from lambdabuild.model.target import Target, find_runtime
from tests.signals import LAST, STATUS
from tests.wheels import Wheel, wheel

HANDLER = "def handler(event, context):\n    return 1\n"
SECONDS = re.compile(r"\d+\.\d+ s\b")

Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Writes and locks a project of a function ``app`` and a layer with wheels of the test's own."""

    def make(*wheels: Wheel, files: Mapping[str, str] | None = None, table: str = "", handler: bool = True) -> Path:
        folder = tmp_path / "project"
        (folder / "wheels").mkdir(parents=True)
        sources = ""
        for one in wheels:
            (folder / "wheels" / one.filename).write_bytes(one.data)
            sources += f'{one.name} = {{ path = "wheels/{one.filename}" }}\n'
        dependencies = ", ".join(f'"{one.name}"' for one in wheels)
        function = '[tool.lambdabuild.functions.app]\nhandler = "app.handler"\nsource = "src"\n' if handler else ""
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.10"\n'
            f"dependencies = [{dependencies}]\n[tool.uv.sources]\n{sources}"
            f'[tool.lambdabuild]\npython = "3.13"\n{table}\n{function}'
        )
        for name, text in ({"app.py": HANDLER} | dict(files or {})).items():
            path = folder / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--project", folder], check=True)
        return folder

    return make


def broken(lambdabuild: Callable, folder: Path, *argv: str) -> str:
    """The error of a build whose artifacts do not pass, which publishes none."""
    done = lambdabuild("package", "--builder", "docker", "--verify", "--project", folder, *argv, code=3)
    assert not (folder / "dist").exists()
    return done.stderr[done.stderr.index("error: ") :]


def test_all_is_well(project: Project, lambdabuild: Callable) -> None:
    demo = wheel("demo", files={"demo/__init__.py": "import other", "other.py": "", "space/inner/__init__.py": ""})
    folder = project(demo, files={"app.py": "import demo\n" + HANDLER})
    done = lambdabuild("package", "--builder", "docker", "--project", folder)
    assert "trying 1 handler and 3 modules in the python3.13 image …\n" in done.stderr
    assert "verified: 1 handler, 3 modules in the python3.13 image, N\n" in SECONDS.sub("N", done.stdout)
    (folder / "src" / "more.py").write_text("")
    edited = lambdabuild("package", "--builder", "docker", "--project", folder)
    note = "note: not verified: nothing was installed, so no Engine was asked (--verify tries the archives)\n"
    assert note in edited.stderr
    again = lambdabuild("package", "--builder", "docker", "--project", folder, "--verify")
    assert "trying 1 handler in the python3.13 image …\n" in again.stderr
    assert "verified: 1 handler, 3 modules in the python3.13 image, N\n" in SECONDS.sub("N", again.stdout)
    (folder / "src" / "more.py").unlink()
    as_before = lambdabuild("package", "--builder", "docker", "--project", folder, "--verify")
    assert "verified before, unchanged: 1 handler, 3 modules in the python3.13 image\n" in as_before.stdout
    done = lambdabuild("verify", "--project", folder)
    assert SECONDS.sub("N", done.stdout) == (
        "  app.zip\n"
        "    app.handler (handler)    N  ok\n"
        "  layer.zip\n"
        "    demo (demo 1.0)           N  ok\n"
        "    other (demo 1.0)          N  ok\n"
        "    space.inner (demo 1.0)    N  ok\n"
        "verified: 1 handler, 3 modules in the python3.13 image, N\n"
    )
    done = lambdabuild("verify", "--project", folder, "--json", "layer")
    document = json.loads(done.stdout)["verification"]
    assert [artifact["path"] for artifact in document["artifacts"]] == ["layer.zip"]
    assert [row["name"] for row in document["artifacts"][0]["imports"]] == ["demo", "other", "space.inner"]


def test_a_handler_that_raises(project: Project, lambdabuild: Callable) -> None:
    source = "def prepare():\n    raise ValueError('no\\nway')\n\nprepare()\n" + HANDLER
    folder = project(files={"app.py": source})
    assert broken(lambdabuild, folder) == (
        "error: app.zip: the handler app.handler cannot be imported in the python3.13 image: ValueError: no\n"
        "  way\n"
        "  at /var/task/app.py:4: prepare()\n"
        "  at /var/task/app.py:2: raise ValueError('no\\nway')\n"
        "  hint: mend it; or, where it needs what it has in Lambda alone, build with --no-verify\n"
    )
    done = lambdabuild("package", "--builder", "docker", "--project", folder, "--no-verify")
    assert ", not verified, distributions: " in done.stdout
    done = lambdabuild("verify", "--project", folder, code=3)
    assert SECONDS.sub("N", done.stdout) == (
        "  app.zip\n"
        "    app.handler (handler)    N  broken: ValueError: no\n"
        "not verified: 1 of 1 handler in the python3.13 image, N\n"
    )


def test_a_module_that_is_not_there(project: Project, lambdabuild: Callable) -> None:
    folder = project(files={"app.py": "import requests.sessions\n" + HANDLER})
    assert broken(lambdabuild, folder) == (
        "error: app.zip: the handler app.handler cannot be imported in the python3.13 image: "
        "ModuleNotFoundError: No module named 'requests'\n"
        "  at /var/task/app.py:1: import requests.sessions\n"
        '  hint: add the distribution that brings "requests" to the dependencies (uv add), or to a layer\n'
    )


def test_metadata_that_is_needed(project: Project, lambdabuild: Callable) -> None:
    needy = wheel("needy", files={"needy.py": "import importlib.metadata as m\nVERSION = m.version('some' + 'one')\n"})
    folder = project(needy, wheel("someone"), table='dist-info = "strip"', files={"app.py": "import needy\n" + HANDLER})
    where = "  at /opt/python/needy.py:2 of needy 1.0: VERSION = m.version('some' + 'one')\n"
    rule = '  dist-info = "strip" left out python/someone-1.0.dist-info/METADATA of someone 1.0\n'
    told = "PackageNotFoundError: No package metadata was found for someone\n"
    assert broken(lambdabuild, folder) == (
        f"error: layer.zip: needy of needy 1.0 cannot be imported in the python3.13 image: {told}{where}{rule}"
        f"app.zip: the handler app.handler cannot be imported in the python3.13 image: {told}"
        f"  at /var/task/app.py:1: import needy\n{where}{rule}"
        '  hint: keep = ["someone-*.dist-info/"] in [tool.lambdabuild] brings it back\n'
    )
    mend(folder, 'keep = ["someone-*.dist-info/"]')
    lambdabuild("package", "--builder", "docker", "--project", folder)


def test_tests_that_are_needed(project: Project, lambdabuild: Callable) -> None:
    files = {
        "demo/__init__.py": "from demo.tests import base\n",
        "demo/tests/__init__.py": "",
        "demo/tests/base.py": "",
    }
    folder = project(wheel("demo", files=files), table='tests = "strip"')
    assert broken(lambdabuild, folder) == (
        "error: layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: "
        "ModuleNotFoundError: No module named 'demo.tests'\n"
        "  at /opt/python/demo/__init__.py:1 of demo 1.0: from demo.tests import base\n"
        '  tests = "strip" left out python/demo/tests/__init__.py and 1 more of demo 1.0\n'
        '  hint: keep = ["demo/tests/"] in [tool.lambdabuild] brings it back\n'
    )
    mend(folder, 'keep = ["demo/tests/"]')
    lambdabuild("package", "--builder", "docker", "--project", folder)


def test_data_that_is_excluded(project: Project, lambdabuild: Callable) -> None:
    read = "from pathlib import Path\nTEXT = Path(__file__).with_name('table [1].dat').open()\n"
    demo = wheel("demo", files={"demo/__init__.py": read, "demo/table [1].dat": "1", "demo/other.dat": "2"})
    app = "import demo\nWORDS = open('/var/task/words.dat').read()\n" + HANDLER
    folder = project(demo, table='exclude = ["*.dat"]', files={"app.py": app, "words.dat": "word"})
    place = "  at /opt/python/demo/__init__.py:2 of demo 1.0: TEXT = Path(__file__).with_name('table [1].dat').open()\n"
    told = "FileNotFoundError: [Errno 2] No such file or directory: '/opt/python/demo/table [1].dat'\n"
    rule = '  exclude "*.dat" left out python/demo/table [1].dat of demo 1.0\n'
    assert broken(lambdabuild, folder) == (
        f"error: layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: {told}{place}{rule}"
        f"app.zip: the handler app.handler cannot be imported in the python3.13 image: {told}"
        f"  at /var/task/app.py:1: import demo\n{place}{rule}"
        '  exclude "*.dat" left out words.dat\n'
        "  hint: keep = ['demo/table \\[1].dat'] in [tool.lambdabuild] brings it back\n"
        "        keep = ['demo/table \\[1].dat', \"/words.dat\"] in [tool.lambdabuild] brings it back\n"
    )
    mend(folder, "keep = ['demo/table \\[1].dat', \"/words.dat\"]")
    lambdabuild("package", "--builder", "docker", "--project", folder)


def test_an_interpreter_that_ends(project: Project, lambdabuild: Callable) -> None:
    crash = "import ctypes\nctypes.string_at(0)\n"
    folder = project(
        wheel("after", files={"zafter.py": ""}),
        wheel("crash", files={"crash/__init__.py": "from . import inner", "crash/inner.py": crash}),
        wheel("leave", files={"leave.py": "import os\nprint('bye', flush=True)\nos._exit(3)\n"}),
        wheel("sysexit", files={"sysexit.py": "raise SystemExit('enough')\n"}),
        files={"app.py": "import leave\n" + HANDLER},
    )
    assert broken(lambdabuild, folder) == (
        "error: layer.zip: crash of crash 1.0 cannot be imported in the python3.13 image: "
        "the interpreter was killed by SIGSEGV\n"
        "  at /opt/python/crash/__init__.py:1 of crash 1.0\n"
        "  at /opt/python/crash/inner.py:2 of crash 1.0\n"
        "app.zip: the handler app.handler cannot be imported in the python3.13 image: "
        "the interpreter ended with exit status 3\n"
        "  | bye\n"
        "  hint: choose a version of crash whose wheel fits python3.13 x86_64, or leave it out\n"
        "        mend it; or, where it needs what it has in Lambda alone, build with --no-verify\n"
    )


def test_optional_modules(project: Project, lambdabuild: Callable) -> None:
    folder = project(
        wheel("extra", files={"extra/__init__.py": "", "winextra.py": "import winreg\n"}),
        wheel("leave", files={"leave.py": "raise SystemExit('enough')\n"}),
        wheel("zlast", files={"zlast.py": ""}),
    )
    done = lambdabuild("package", "--builder", "docker", "--project", folder)
    assert (
        "note: layer.zip has modules that cannot be imported without slimming either:\n"
        "  leave (leave 1.0): SystemExit: enough\n"
        "  winextra (extra 1.0): ModuleNotFoundError: No module named 'winreg'\n"
    ) in done.stderr
    assert "verified: 1 handler, 4 modules in the python3.13 image, N\n" in SECONDS.sub("N", done.stdout)


def test_a_library_that_is_not_there(project: Project, lambdabuild: Callable) -> None:
    folder = project(wheel("native", files={"native.py": "import ctypes\nctypes.CDLL('libnothing.so.7')\n"}))
    assert broken(lambdabuild, folder) == (
        "error: layer.zip: native of native 1.0 cannot be imported in the python3.13 image: "
        "OSError: libnothing.so.7: cannot open shared object file: No such file or directory\n"
        "  at /opt/python/native.py:2 of native 1.0: ctypes.CDLL('libnothing.so.7')\n"
        "  hint: choose a version of native whose wheel fits python3.13 x86_64, or leave it out; or bring "
        "libnothing.so.7 along (Lambda finds it in lib/ of a function's source)\n"
    )


def test_an_import_that_hangs(project: Project, lambdabuild: Callable) -> None:
    folder = project(
        wheel("slow", files={"slow.py": "import threading\nthreading.Event().wait()\n"}),
        files={"app.py": "import slow\n" + HANDLER},
    )
    lambdabuild("package", "--builder", "docker", "--project", folder, "--no-verify")
    done = lambdabuild("verify", "--timeout", "2", "--project", folder, code=3)
    error = done.stderr[done.stderr.index("error: ") :]
    assert error == (
        "error: app.zip: the handler app.handler cannot be imported in the python3.13 image: "
        "it did not end within 2 s\n"
        "  at /var/task/app.py:1\n"
        "  at /opt/python/slow.py:2 of slow 1.0\n"
        "  hint: Lambda gives the init phase 10 s: do less when the module is imported\n"
    )


def test_what_only_lambda_gives_is_a_warning(project: Project, lambdabuild: Callable) -> None:
    folder = project(files={"app.py": "import os\nTABLE = os.environ['TABLE']\n" + HANDLER})
    done = lambdabuild("package", "--builder", "docker", "--verify", "--project", folder)
    assert (
        "warning: app.zip: the handler app.handler was not imported to its end, because it needs the environment "
        "variable TABLE: KeyError: 'TABLE'\n"
        '  hint: env = { TABLE = "1" } in [tool.lambdabuild.functions.app.verify] lets it be tried, with values that '
        "it takes; what is not needed at import is better done in the handler's function\n"
    ) in done.stderr
    assert "verified: 1 handler (1 not to the end) in the python3.13 image, N\n" in SECONDS.sub("N", done.stdout)
    table = folder / "pyproject.toml"
    table.write_text(table.read_text() + '[tool.lambdabuild.functions.app.verify]\nenv = { TABLE = "1" }\n')
    done = lambdabuild("package", "--builder", "docker", "--verify", "--project", folder)
    assert "warning" not in done.stderr
    assert "verified: 1 handler in the python3.13 image, N\n" in SECONDS.sub("N", done.stdout)


def test_a_member_that_only_its_owner_may_read(project: Project, lambdabuild: Callable) -> None:
    folder = project()
    lambdabuild("package", "--builder", "docker", "--project", folder)
    archive = folder / "dist" / "lambda" / "app.zip"
    with zipfile.ZipFile(archive, "w") as out:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o100600 << 16
        out.writestr(info, HANDLER)
    done = lambdabuild("verify", "--project", folder, code=3)
    manifest = folder / "dist" / "lambda" / "manifest.json"
    document = json.loads(manifest.read_text())
    assert done.stderr == (
        f"error: {archive} is not what was built: its sha256 is {file_sha256(archive)}, "
        f"and the manifest says {document['artifacts'][0]['sha256']}\n"
        "  hint: build it again: lambdabuild package app\n"
    )
    document["artifacts"][0]["sha256"] = file_sha256(archive)
    manifest.write_text(json.dumps(document))
    done = lambdabuild("verify", "--project", folder, code=3)
    assert done.stderr[done.stderr.index("error: ") :] == (
        "error: app.zip: the handler app.handler cannot be imported in the python3.13 image: "
        "PermissionError: [Errno 13] Permission denied: '/var/task/app.py'\n"
        "  hint: Lambda runs functions as another user: files in an archive must be readable for all (0644)\n"
    )


def test_fat_zips(project: Project, lambdabuild: Callable) -> None:
    demo = wheel("demo", files={"demo.py": "", "hurt.py": "import importlib.metadata as m\nm.version('de' + 'mo')\n"})
    folder = project(demo, table='dist-info = "strip"', files={"app.py": "import demo\n" + HANDLER})
    assert broken(lambdabuild, folder, "--fat") == (
        "error: app-fat.zip: hurt of demo 1.0 cannot be imported in the python3.13 image: "
        "PackageNotFoundError: No package metadata was found for demo\n"
        "  at /var/task/hurt.py:2 of demo 1.0: m.version('de' + 'mo')\n"
        '  dist-info = "strip" left out demo-1.0.dist-info/METADATA of demo 1.0\n'
        '  hint: keep = ["demo-*.dist-info/"] in [tool.lambdabuild] brings it back\n'
    )


def test_a_layer_that_others_published_is_not_known(project: Project, lambdabuild: Callable) -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:layer:shared:7"
    external = f'[tool.lambdabuild.layers.shared]\narn = "{arn}"\nunzipped-size = 1000\n'
    folder = project(table=external, files={"app.py": "import of_shared\n" + HANDLER})
    done = lambdabuild("package", "--builder", "docker", "--verify", "--project", folder)
    assert "verified" not in done.stdout
    note = "note: app.zip is not verified: its layer shared is of others, and not known here\n"
    assert note in done.stderr


def test_it_is_asked_for_and_cannot_be_done(project: Project, lambdabuild: Callable) -> None:
    folder = project()
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = lambdabuild("package", "--builder", "host", "--verify", "--project", folder, env=nowhere, code=4)
    assert done.stderr.endswith(
        "error: no Docker Engine answers at unix:///nowhere/docker.sock (DOCKER_HOST): there is no such socket\n"
        "  hint: start Docker, or set DOCKER_HOST\n"
    )
    assert not (folder / "dist").exists()
    done = lambdabuild("package", "--builder", "host", "--project", folder, env=nowhere)
    told = lambdabuild("invoke", "app", "--project", folder, env=nowhere, code=4)
    assert told.stderr.endswith("there is no such socket\n  hint: start Docker, or set DOCKER_HOST\n")
    assert ", not verified, distributions: " in done.stdout


def test_a_project_that_has_changed_since(project: Project, lambdabuild: Callable) -> None:
    """What was left out of the archive that stands there cannot be told any more."""
    hurt = wheel("demo", files={"demo.py": "import importlib.metadata as m\nm.version('de' + 'mo')\n"})
    folder = project(hurt, table='dist-info = "strip"')
    lambdabuild("layer", "--builder", "docker", "--project", folder, "--no-verify")
    mend(folder, 'keep = ["demo-*.dist-info/"]')
    done = lambdabuild("verify", "--project", folder, code=3)
    assert done.stderr[done.stderr.index("error: ") :] == (
        "error: layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: "
        "PackageNotFoundError: No package metadata was found for demo\n"
        "  at /opt/python/demo.py:2: m.version('de' + 'mo')\n"
        "  whether it can without slimming was not tried: the project has changed since it was built\n"
    )


def test_names(project: Project, lambdabuild: Callable) -> None:
    folder = project()
    output = folder / "dist" / "lambda"
    done = lambdabuild("verify", "--project", folder, code=2)
    assert done.stderr == (f"error: nothing was built in {output}\n  hint: build first: lambdabuild package\n")
    lambdabuild("package", "--project", folder, "--no-verify")
    done = lambdabuild("verify", "--project", folder, "ap", code=2)
    assert done.stderr == (f'error: no layer or function "ap" was built in {output}\n  hint: did you mean "app"?\n')


def mend(folder: Path, line: str) -> None:
    """Add a line to the table, as the hint has it."""
    path = folder / "pyproject.toml"
    path.write_text(path.read_text().replace("[tool.lambdabuild]\n", f"[tool.lambdabuild]\n{line}\n"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_imports_go_on(
    number: signal.Signals,
    project: Project,
    lambdabuild: Callable,
    environ: Mapping[str, str],
    docker_client: docker.DockerClient,
) -> None:
    hang = "import threading\nthreading.Event().wait()\n"
    folder = project(wheel("slow", files={"slow.py": hang}), files={"app.py": "import slow\n" + HANDLER})
    lambdabuild("package", "--builder", "docker", "--project", folder, "--no-verify")
    command = [sys.executable, "-m", "lambdabuild", "verify", "--timeout", "600", "--project", folder]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    while importing(docker_client, process.pid) < 2:
        assert process.poll() is None
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told.splitlines()[-1]) == (STATUS[number], LAST[number])


def importing(client: docker.DockerClient, pid: int) -> int:
    """In how many of a process's containers a runtime is at work."""
    containers = client.containers.list(filters={"name": f"lambdabuild-{pid}-"}, ignore_removed=True)
    return sum("/var/runtime/bootstrap" in " ".join(command) for one in containers for command in processes(one))


def processes(container: Container) -> list[list[str]]:
    """None of a container that is yet to start, or has ended."""
    try:
        return (container.top(ps_args="-eo pid,args") or {}).get("Processes") or []
    except docker.errors.APIError:
        return []


def test_what_was_refused_is_refused_again(
    project: Project, lambdabuild: Callable, environ: Mapping[str, str], docker_client: docker.DockerClient
) -> None:
    """By content, whoever asks: also a build that installs nothing, by another builder, after one without a trial."""
    folder = project(wheel("other"), files={"app.py": "import other\nraise ValueError('refused')\n" + HANDLER})
    first = lambdabuild("package", "--builder", "docker", "--project", folder, code=3)
    again = lambdabuild("package", "--builder", "docker", "--project", folder, code=3)
    error = first.stderr[first.stderr.index("error: ") :]
    assert again.stderr[again.stderr.index("error: ") :] == error
    assert "trying" not in again.stderr
    lambdabuild("package", "--builder", "host", "--project", folder, "--no-verify")
    by_host = lambdabuild("package", "--builder", "host", "--project", folder, code=3)
    assert by_host.stderr[by_host.stderr.index("error: ") :] == error
    tried = lambdabuild("package", "--builder", "docker", "--verify", "--project", folder, code=3)
    assert "trying 1 handler in the python3.13 image …\n" in tried.stderr
    (folder / "src" / "app.py").write_text("import other\n" + HANDLER)
    mended = lambdabuild("package", "--builder", "docker", "--project", folder)
    assert "verified: 1 handler, 1 module in the python3.13 image, N\n" in SECONDS.sub("N", mended.stdout)


def test_a_build_that_is_unchanged_is_not_when_its_content_was_refused_since(
    project: Project, lambdabuild: Callable
) -> None:
    folder = project(files={"app.py": "raise ValueError('refused since')\n" + HANDLER})
    lambdabuild("package", "--builder", "host", "--project", folder)
    done = lambdabuild("package", "--builder", "host", "--project", folder)
    assert ", unchanged, " in done.stdout
    lambdabuild("verify", "--project", folder, code=3)
    done = lambdabuild("package", "--builder", "host", "--project", folder, code=3)
    assert "ValueError: refused since\n" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_trial_that_was_ended_is_made_up_for(
    number: signal.Signals,
    project: Project,
    lambdabuild: Callable,
    environ: Mapping[str, str],
    docker_client: docker.DockerClient,
) -> None:
    """The next build installs nothing, and tries all the same."""
    hang = f"import time\ntime.sleep(5)\nraise ValueError('after {number.name}')\n"
    folder = project(wheel("other", files={"other.py": f"WHICH = {number.value}\n"}), files={"app.py": hang + HANDLER})
    command = [sys.executable, "-m", "lambdabuild", "package", "--builder", "docker", "--project", folder]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    while importing(docker_client, process.pid) < 1:
        assert process.poll() is None
    process.send_signal(number)
    process.communicate(timeout=60)
    done = lambdabuild("package", "--builder", "docker", "--project", folder, code=3)
    assert f"ValueError: after {number.name}\n" in done.stderr


def test_what_a_function_finds_there(project: Project, lambdabuild: Callable) -> None:
    """The service's user, its variables and its /tmp."""
    source = """
import getpass, os, pathlib, pwd
assert getpass.getuser() == "sbx_user1051", getpass.getuser()
assert pwd.getpwnam("root").pw_uid == 0
assert str(pathlib.Path.home()) == "/home/sbx_user1051" and not pathlib.Path.home().exists()
assert "HOME" not in os.environ
platform = "_HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_EXECUTION_ENV AWS_LAMBDA_FUNCTION_MEMORY_SIZE "
platform += "AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE "
platform += "AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_LAMBDA_RUNTIME_API AWS_REGION "
platform += "LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT LANG LD_LIBRARY_PATH PATH TZ"
FOUND = {name: os.environ[name] for name in platform.split()}
assert FOUND["AWS_LAMBDA_FUNCTION_NAME"] == "app" and FOUND["_HANDLER"] == "app.handler"
assert FOUND["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13" and FOUND["TZ"] == ":UTC"
disk = os.statvfs("/tmp")
MEGABYTES = disk.f_blocks * disk.f_frsize >> 20
def handler(event, context):
    return [MEGABYTES, getpass.getuser(), FOUND["AWS_LAMBDA_FUNCTION_NAME"]]
"""
    folder = project(files={"app.py": source})
    lambdabuild("package", "--builder", "docker", "--verify", "--project", folder)
    for more, megabytes in (((), 512), (("--ephemeral-storage", "700"), 700)):
        done = lambdabuild("invoke", "app", "--project", folder, *more)
        assert json.loads(done.stdout) == [megabytes, "sbx_user1051", "app"]
    done = lambdabuild("invoke", "app", "--project", folder, "--ephemeral-storage", "511", code=2)
    assert "Invalid value for '--ephemeral-storage': 511 is not in the range 512<=x<=10240." in done.stderr


def test_a_sandbox_that_runs_out_of_memory(
    image_template: str, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    """It is told as that, with the handler that wanted it, and says nothing about the archive."""
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as out:
        info = zipfile.ZipInfo("app.py")
        info.external_attr = 0o100644 << 16
        out.writestr(info, "HELD = b'x' * (1 << 30)\n" + HANDLER)
    runtime = find_runtime(read_runtimes(), "python3.13")
    assert runtime is not None
    engine = Engine(image=image_template, environ=os.environ)
    sandboxes = Sandboxes(engine, listen=lambda event: None)
    sandbox = sandboxes.make(Target(runtime=runtime, architecture=engine.architecture))
    with sandbox.layered([]) as layers, sandbox.running(archive, layers, memory=100) as running:
        order = {"entrypoint": sandbox.entrypoint, "handler": "app.handler", "timeout": 60, "environ": {}}
        stdin = json.dumps({**order, "events": [], "fresh": False}).encode()
        program = [running.python, "-I", "-c", read_program("runtime_api.py")]
        ran = running.run(program, stdin=b"%d\n" % len(stdin) + stdin, doing="trying")
        failure = json.loads(ran.stdout)["init"]["failure"]
        assert (failure["kind"], failure["signal"]) == ("exited", "SIGKILL")
        with pytest.raises(BuildError, match=r"^importing app\.handler in the sandbox: out of memory"):
            running.check_memory(doing="importing app.handler in the sandbox")
