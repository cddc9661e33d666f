"""resources.sandbox: the programs that run in the image, here by this interpreter, against a little runtime."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

RUNTIME = """
import json, os, sys, time, urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"

def post(path, document):
    urllib.request.urlopen(f"{API}/{path}", json.dumps(document).encode()).close()

def fail():
    post("init/error", {"errorType": "Runtime.ImportModuleError", "errorMessage": "no module"})
    sys.exit(1)

print("started", os.environ.get("GIVEN"), flush=True)
{"good": lambda: None, "bad": fail, "gone": lambda: os._exit(3), "hang": lambda: time.sleep(60)}[sys.argv[1]]()
number = 0
while True:
    with urllib.request.urlopen(f"{API}/invocation/next") as answer:
        event = json.load(answer)
        request = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    number += 1
    print("event", event, flush=True)
    if event == "exit":
        os._exit(4)
    if event == "abort":
        os.abort()
    if event == "hang":
        time.sleep(60)
    if event == "raise":
        post(f"invocation/{request}/error", {"errorType": "ValueError", "errorMessage": "no"})
        continue
    if event == "late":
        post(f"invocation/{request}/response", {"failure": None})
        os._exit(5)
    failed = event == "always" or (event == "dirty" and number > 1)
    post(f"invocation/{request}/response", {"number": number, "failure": "bad" if failed else None})
"""


def run(program: str, stdin: bytes, *argv: str) -> subprocess.CompletedProcess[bytes]:
    """A program with this on standard input, after a line with its length; the input stays open."""
    source = (files("lambdabuild.resources") / "sandbox" / program).read_text(encoding="utf-8")
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as out:
        out.write(b"%d\n" % len(stdin) + stdin)
        out.flush()
        command = [sys.executable, "-I", "-c", source, *argv]
        with os.fdopen(reading, "rb") as given:
            return subprocess.run(command, stdin=given, capture_output=True, check=False)


@pytest.fixture
def invoke(tmp_path: Path) -> Any:
    """Runs the little runtime with a handler and events."""
    (tmp_path / "runtime.py").write_text(RUNTIME)

    def run_order(handler: str, *events: str, timeout: float = 20, fresh: bool = False) -> dict[str, Any]:
        order = {
            "entrypoint": [sys.executable, str(tmp_path / "runtime.py")],
            "handler": handler,
            "timeout": timeout,
            "environ": {"GIVEN": "yes", "PYTHONFAULTHANDLER": "1"},
            "events": events,
            "fresh": fresh,
        }
        ran = run("runtime_api.py", json.dumps(order).encode())
        assert (ran.returncode, ran.stderr) == (0, b"")
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    return run_order


def values(answer: dict[str, Any]) -> list[Any]:
    """Which event of its process each was, or how it failed."""
    return [one["value"]["number"] if "value" in one else one["failure"]["kind"] for one in answer["answers"]]


def test_the_init_phase(invoke: Any) -> None:
    assert invoke("good")["answers"] == []
    init = invoke("good")["init"]
    assert init["value"] is None
    assert 0 < init["seconds"] < 20
    assert invoke("bad", "never")["answers"] == []
    assert invoke("bad")["init"]["failure"] == {
        "kind": "raised",
        "error": {"errorType": "Runtime.ImportModuleError", "errorMessage": "no module"},
        "log": ["started yes"],
    }
    assert invoke("gone")["init"]["failure"] == {
        "kind": "exited",
        "status": 3,
        "signal": "",
        "log": ["started yes"],
    }


def test_a_runtime_that_hangs_tells_where(invoke: Any) -> None:
    failure = invoke("hang", timeout=2)["init"]["failure"]
    assert failure["kind"] == "timeout"
    assert failure["log"][:2] == ["started yes", "Fatal Python error: Aborted"]
    assert any('runtime.py", line' in line for line in failure["log"])


def test_events_of_one_process(invoke: Any) -> None:
    assert values(invoke("good", "one", "two", "three")) == [1, 2, 3]
    assert values(invoke("good", "one", "two", fresh=True)) == [1, 1]


def test_what_failed_is_tried_in_a_new_process_and_so_is_the_next(invoke: Any) -> None:
    answer = invoke("good", "one", "dirty", "two", "always", "three", "always", "four")
    assert values(answer) == [1, 1, 2, 1, 1, 1, 1]
    assert [one["value"]["failure"] for one in answer["answers"]] == [None, None, None, "bad", None, "bad", None]


def test_a_process_that_ends(invoke: Any) -> None:
    answer = invoke("good", "one", "exit", "two", "abort", "late", "raise")
    assert values(answer) == [1, "exited", 1, "exited", "exited", "raised"]
    failures = [one.get("failure", {}) for one in answer["answers"]]
    assert [failure.get("status") for failure in failures] == [None, 4, None, -6, 5, None]
    assert failures[1]["log"] == ["event exit"]
    assert failures[3]["signal"] == "SIGABRT"
    assert failures[5]["error"] == {"errorType": "ValueError", "errorMessage": "no"}


def test_a_hang_takes_its_time_once(invoke: Any) -> None:
    answer = invoke("good", "one", "hang", "two", timeout=2)
    assert values(answer) == [1, "timeout", 1]
    assert answer["answers"][1]["seconds"] >= 2


def zipped(members: dict[str, tuple[int, str]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (mode, text) in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(info, text)
    return out.getvalue()


def test_unpacking(tmp_path: Path) -> None:
    members = {f"python/p{number}/m.py": (0o644, str(number)) for number in range(20)}
    members |= {"bin/tool": (0o755, "#!"), "closed": (0o600, ""), "wide": (0o666, "")}
    (tmp_path / "closed").write_text("a longer file that was there")
    ran = run("unpack.py", zipped(members), str(tmp_path))
    assert (ran.returncode, ran.stderr) == (0, b"")
    found = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*")}
    unpacked = {
        name: (stat.S_IMODE(path.stat().st_mode), path.read_text()) for name, path in found.items() if path.is_file()
    }
    assert unpacked == members
    folders = {stat.S_IMODE(path.stat().st_mode) for path in found.values() if path.is_dir()}
    assert folders == {0o755}


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_a_member_that_leads_out_of_the_archive(name: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    ran = run("unpack.py", zipped({"first": (0o644, ""), name: (0o644, "")}), str(root))
    assert ran.returncode == 1
    assert ran.stderr.decode().splitlines()[-1] == f"ValueError: {name!r} leads out of the archive"
    assert [path.name for path in tmp_path.rglob("evil")] == []


def test_an_archive_that_is_damaged(tmp_path: Path) -> None:
    data = zipped({"a.txt": (0o644, "a" * 1000)})
    ran = run("unpack.py", data.replace(b"PK\1\2", b"PK\0\0"), str(tmp_path))
    assert ran.returncode == 1
    assert ran.stderr.decode().splitlines()[-1] == "zipfile.BadZipFile: Bad magic number for central directory"
