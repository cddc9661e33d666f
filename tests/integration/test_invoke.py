"""A built function invoked in the runtime image: what it answers, how it fails, what it sees."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.errors import NotFound

from tests.wheels import wheel

HANDLER = """
import os, socket, sys, time
import greet

{at_import}

def handler(event, context):
    print("handling", event.get("do"))
    return globals()[event.get("do", "answer")](event, context)

def answer(event, context):
    return {{"said": greet.hello("größe"), "event": event}}

def look(event, context):
    return {{
        "environ": {{name: os.environ.get(name) for name in event["names"]}},
        "context": [context.function_name, context.memory_limit_in_mb],
        "remaining": context.get_remaining_time_in_millis() // 10_000,
        "resolves": bool(socket.getaddrinfo("localhost", 80)),
        "loopback_only": os.listdir("/sys/class/net") == ["lo"],
    }}

def fail(event, context):
    raise LookupError("no such order")

def die(event, context):
    os._exit(3)

def wait(event, context):
    time.sleep(event["seconds"])

def take(event, context):
    return len(bytearray(event["mb"] << 20))
"""
GREET = wheel("greet", files={"greet/__init__.py": "def hello(who):\n    return 'hello ' + who\n"})
PYPROJECT = """
[project]
name = "project"
version = "1"
requires-python = ">=3.10"
dependencies = ["greet"]
[tool.uv.sources]
greet = { path = "wheels/%s" }
[tool.lambdabuild]
python = "3.13"
[tool.lambdabuild.functions.app]
handler = "app.handler"
source = "src"
"""


@dataclass(frozen=True)
class Project:
    """A built project, and how its function is invoked."""

    folder: Path
    lambdabuild: Callable[..., subprocess.CompletedProcess[str]]

    def invoke(
        self, event: Mapping[str, object] | None = None, *argv: object, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        if event is not None:
            path = self.folder / "event.json"
            path.write_text(json.dumps(event))
            argv = ("--event", path, *argv)
        return self.lambdabuild("invoke", "app", "--project", self.folder, *argv, code=code)

    def error(self, event: Mapping[str, object] | None = None, *argv: object, code: int = 1) -> str:
        stderr = self.invoke(event, *argv, code=code).stderr
        return stderr[stderr.index("error: ") :]


def make(folder: Path, lambdabuild: Callable, *, at_import: str = "") -> Project:
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / GREET.filename).write_bytes(GREET.data)
    (folder / "pyproject.toml").write_text(PYPROJECT % GREET.filename)
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text(HANDLER.format(at_import=at_import))
    subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet", "--project", folder], check=True)
    lambdabuild("package", "--no-verify", "--project", folder)
    return Project(folder, lambdabuild)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, lambdabuild: Callable) -> Project:
    """Its function takes half a second to import."""
    at_import = "import time as clock\nclock.sleep(0.5)\nprint('loaded')"
    return make(tmp_path_factory.mktemp("invoke") / "project", lambdabuild, at_import=at_import)


def test_an_answer(project: Project) -> None:
    done = project.invoke({"n": 1})
    assert done.stdout == '{\n  "said": "hello größe",\n  "event": {\n    "n": 1\n  }\n}\n'
    progress, *log, times = done.stderr.splitlines()
    assert progress == "running app.zip in the python3.13 x86_64 image …"
    assert log == ["loaded", "handling None"]
    assert times.startswith("init ")
    assert ", run " in times


def test_the_init_time_is_that_of_the_imports(project: Project) -> None:
    document = json.loads(project.invoke({}, "--json", "--count", 4).stdout)
    assert document.keys() == {"name", "path", "response", "error", "log", "init_seconds", "run_seconds", "warm"}
    assert document["init_seconds"] > 0.5
    assert 0 < document["run_seconds"] < document["init_seconds"]
    assert document["log"] == "loaded\n" + "handling None\n" * 4
    warm = document["warm"]
    assert warm["count"] == 3
    assert 0 < warm["min"] <= warm["median"] <= warm["max"]


def test_all_of_the_log(project: Project, lambdabuild: Callable) -> None:
    done = lambdabuild("-v", "invoke", "app", "--project", project.folder)
    assert "INIT REPORT(durationMs: " in done.stderr
    assert "\nhandling None\n" in done.stderr


def test_an_event_from_standard_input(project: Project, environ: Mapping[str, str]) -> None:
    argv = [sys.executable, "-m", "lambdabuild", "invoke", "app", "--project", project.folder, "--event", "-", "--json"]
    done = subprocess.run(argv, env=environ, input='{"n": 2}', capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["response"]["event"] == {"n": 2}


def test_the_fat_zip(project: Project, tmp_path: Path, lambdabuild: Callable) -> None:
    lambdabuild("package", "--fat", "--no-verify", "--project", project.folder, "--output", tmp_path)
    done = lambdabuild("invoke", "app", "--project", project.folder, "--output", tmp_path, "--json")
    assert json.loads(done.stdout)["path"] == "app-fat.zip"
    lambdabuild("package", "--no-verify", "--project", project.folder, "--output", tmp_path)
    done = lambdabuild("invoke", "app", "--fat", "--project", project.folder, "--output", tmp_path, "--json")
    assert json.loads(done.stdout)["path"] == "app-fat.zip"


def test_what_the_function_sees(project: Project, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("TABLE='orders'\nBOTH=file\nLOG_LEVEL=CRITICAL\n")
    names = ["TABLE", "BOTH", "LOG_LEVEL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "_HANDLER"]
    done = project.invoke(
        {"do": "look", "names": names},
        *("--env-file", file, "--env", "BOTH=argument", "--env", "AWS_REGION=eu-west-1"),
        *("--memory", 256, "--timeout", 50),
    )
    assert json.loads(done.stdout) == {
        "environ": {
            "TABLE": "orders",
            "BOTH": "argument",
            "LOG_LEVEL": "CRITICAL",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "",
            "_HANDLER": "app.handler",
        },
        "context": ["app", "256"],
        "remaining": 4,
        "resolves": True,
        "loopback_only": False,
    }


def test_the_environment_shows_nowhere_on_the_engine(
    project: Project, docker_client: docker.DockerClient, environ: Mapping[str, str], tmp_path: Path
) -> None:
    canary = f"canary-{os.urandom(8).hex()}"
    event = tmp_path / "event.json"
    event.write_text('{"do": "wait", "seconds": 3}')
    since = int(time.time())
    argv = [sys.executable, "-m", "lambdabuild", "invoke", "app", "--project", project.folder, "--event", event]
    running = subprocess.Popen([*argv, "--env", f"PASSWORD={canary}"], env=environ, stderr=subprocess.PIPE)
    told = ""
    while running.poll() is None:
        for container in docker_client.containers.list(filters={"label": "dev.lambdabuild=run"}, ignore_removed=True):
            told += json.dumps(container.attrs)
            for one in container.attrs.get("ExecIDs") or ():
                with suppress(NotFound):  # it may have ended meanwhile
                    told += json.dumps(docker_client.api.exec_inspect(one))
    assert running.communicate()[1] is not None
    assert running.returncode == 0
    events = docker_client.events(since=since, until=int(time.time()) + 1)
    told += "".join(event if isinstance(event, str) else event.decode() for event in events)
    assert "aws-lambda-rie" in told  # the program that is run
    assert "exec_create" in told
    assert canary not in told


def test_an_exception(project: Project) -> None:
    done = project.invoke({"do": "fail"}, code=1)
    assert done.stdout == ""
    assert done.stderr.splitlines()[1:3] == ["loaded", "handling fail"]
    assert done.stderr[done.stderr.index("error: ") :] == (
        "error: app.zip: LookupError: no such order\n"
        "Traceback (most recent call last):\n"
        '  File "/var/task/app.py", line 11, in handler\n'
        '    return globals()[event.get("do", "answer")](event, context)\n'
        '  File "/var/task/app.py", line 26, in fail\n'
        '    raise LookupError("no such order")\n'
    )


def test_an_exception_as_json(project: Project) -> None:
    document = json.loads(project.invoke({"do": "fail"}, "--json", "--count", 3, code=1).stdout)
    assert (document["response"], document["warm"]) == (None, None)
    assert document["error"] == {
        "code": "function-failed",
        "exit_code": 1,
        "hint": None,
        "type": "LookupError",
        "message": "no such order",
        "trace": [
            '  File "/var/task/app.py", line 11, in handler\n'
            '    return globals()[event.get("do", "answer")](event, context)',
            '  File "/var/task/app.py", line 26, in fail\n    raise LookupError("no such order")',
        ],
        "at_init": False,
    }


def test_a_function_that_ends_its_process(project: Project) -> None:
    assert project.error({"do": "die"}) == (
        "error: app.zip: Runtime.ExitError: Runtime exited with error: exit status 3\n"
    )


def test_a_function_that_takes_too_long(project: Project) -> None:
    error = project.error({"do": "wait", "seconds": 60}, "--timeout", 5)
    assert re.sub(r"\d\.\d\d s", "X s", error) == (
        "error: app.zip: timed out after 5 s, of which init took X s\n"
        "  hint: give it more: --timeout; the emulator counts the init of a first invocation, Lambda does not\n"
    )


def test_a_function_that_takes_too_much_memory(project: Project) -> None:
    assert project.error({"do": "take", "mb": 160}, "--memory", 128) == (
        "error: app.zip: out of memory (limit 128 MB)\n  hint: give it more: --memory 256\n"
    )
    assert project.invoke({"do": "take", "mb": 80}, "--memory", 128).stdout == f"{80 << 20}\n"


def test_a_failed_init(tmp_path: Path, lambdabuild: Callable) -> None:
    project = make(tmp_path / "missing", lambdabuild, at_import="import nothere")
    assert project.error() == (
        "error: app.zip fails at init: Runtime.ImportModuleError: "
        "Unable to import module 'app': No module named 'nothere'\n"
        "  hint: lambdabuild verify app tells what is missing\n"
    )
    project = make(tmp_path / "raises", lambdabuild, at_import="raise KeyError('TABLE')")
    assert project.error() == (
        "error: app.zip fails at init: KeyError: 'TABLE'\n"
        "Traceback (most recent call last):\n"
        '  File "/var/task/app.py", line 5, in <module>\n'
        "    raise KeyError('TABLE')\n"
    )


def test_a_runtime_that_dies_at_init(tmp_path: Path, lambdabuild: Callable) -> None:
    project = make(tmp_path / "exits", lambdabuild, at_import="os._exit(7)")
    assert project.error() == (
        "error: app.zip fails at init: Runtime.ExitError: Runtime exited with error: exit status 7\n"
    )
    project = make(tmp_path / "takes", lambdabuild, at_import="big = bytearray(300 << 20)")
    assert project.error(None, "--memory", 128) == (
        "error: app.zip: out of memory (limit 128 MB)\n  hint: give it more: --memory 256\n"
    )


def test_what_was_not_built(project: Project, tmp_path: Path, lambdabuild: Callable) -> None:
    options = ("--project", project.folder, "--output", tmp_path)
    assert lambdabuild("invoke", "app", *options, code=2).stderr == (
        f'error: no function "app" was built in {tmp_path}\n  hint: build it: lambdabuild package app\n'
    )


def test_what_is_not_an_event(project: Project, tmp_path: Path, lambdabuild: Callable) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"a": 1,\n "b" 2}')
    options = ("--project", project.folder, "--event", event)
    assert lambdabuild("invoke", "app", *options, code=2).stderr == (
        f"error: {event}:2:6: the event is not JSON: Expecting ':' delimiter\n"
    )
