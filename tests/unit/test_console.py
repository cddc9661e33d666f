"""console: the whole of what is written, and where; no terminal is attached here."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lambdabuild import __version__
from lambdabuild.console import Console
from lambdabuild.errors import PolicyError
from lambdabuild.model.documents import artifact_document
from lambdabuild.model.events import Event
from lambdabuild.model.limits import Finding, Sized
from lambdabuild.model.report import ExternalLayer, Report, SplitPart
from lambdabuild.model.slimming import Kept
from lambdabuild.model.verification import Row, Verification, VerifiedArtifact, verification_document
from lambdabuild.progress import Progress
from lambdabuild.steps.validate import Checked
from tests.samples import artifact

API = artifact(
    "api.zip", kind="function", handler="app.handler", layers=("layer",), zipped_size=999, unzipped_size=26_214_400 // 2
)
FINDINGS = (
    Finding(severity="warning", code="hidden-module", message="one is hidden", hint="rename it"),
    Finding(severity="warning", code="hidden-module", message="two is hidden", hint="rename it"),
    Finding(severity="warning", code="pth-file", message="three is odd"),
)
REPORT = Report(
    output="/project/dist/lambda",
    artifacts=(artifact(), API),
    findings=FINDINGS,
    left_out={"api.zip": tuple(f"m{number}.py" for number in range(9)), "web.zip": ("one.py", "two.py")},
    cached=2,
    installed=1,
    seconds=1.26,
    targets=("python3.13 x86_64", "python3.12 arm64"),
)
CHECKED = (
    Checked(
        path=Path("dist/api.zip"),
        name="api",
        zipped_size=1_500,
        files=1,
        sized=Sized(name="api.zip", unzipped_size=131_072_000, shares={}),
        layers=("layer.zip",),
    ),
    Checked(
        path=Path("dist/layer.zip"),
        name="layer",
        zipped_size=20_000_000,
        files=7,
        sized=Sized(name="layer.zip", unzipped_size=1_000_000, shares={}),
        layers=None,
    ),
)
TOLD_FINDINGS = """\
warning: one is hidden
warning: two is hidden
  hint: rename it
warning: three is odd
"""
LEFT_OUT = (
    "note: api.zip leaves out what its handler does not reach: "
    "m0.py, m1.py, m2.py, m3.py, m4.py, m5.py, m6.py, m7.py and 1 more\n"
    "note: web.zip leaves out what its handler does not reach: one.py, two.py\n"
)


def test_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    Console().report(REPORT)
    captured = capsys.readouterr()
    assert captured.out == (
        "/project/dist/lambda\n"
        "  layer.zip  1.2 MB  26.2 MB unzipped  26.2 of 262.1 MB\n"
        "  api.zip     999 B  13.1 MB unzipped  39.3 of 262.1 MB with layer.zip\n"
        "python3.13 x86_64, python3.12 arm64, docker builder, not verified, "
        "distributions: 1 installed, 2 from the cache, 1.3 s\n"
    )
    assert captured.err == TOLD_FINDINGS + LEFT_OUT


def test_what_evidence_kept_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    one = Kept(distribution="one", kind="tests", files=("a",), size=1_500, reasons=("a.py:1 imports one.tests",))
    report = replace(REPORT, findings=(), left_out={}, kept={"layer.zip": (one,)})
    Console().report(report)
    assert capsys.readouterr().err == ""


def test_notes_among_the_findings(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding(severity="note", code="left-out-data", message="layer.zip leaves out one", hint="keep it")
    Console().report(replace(REPORT, findings=(finding,), left_out={}))
    assert capsys.readouterr().err == "note: layer.zip leaves out one\n  hint: keep it\n"


def test_external_layers_count_in_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    external = ExternalLayer(name="shared", arn="arn:shared:7", unzipped_size=131_072_000)
    api = replace(API, layers=("shared", "layer"), external_layers=(external,))
    Console().report(replace(REPORT, artifacts=(artifact(), api)))
    assert capsys.readouterr().out.splitlines()[2] == (
        "  api.zip     999 B  13.1 MB unzipped  170.4 of 262.1 MB with layer.zip, shared"
    )


def test_a_report_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Console(as_json=True).report(REPORT)
    captured = capsys.readouterr()
    first, second = LEFT_OUT.replace("note: ", "").splitlines()
    assert [json.loads(line) for line in captured.err.splitlines()] == [
        {"event": "warning", "code": "hidden-module", "message": "one is hidden", "hint": "rename it"},
        {"event": "warning", "code": "hidden-module", "message": "two is hidden", "hint": "rename it"},
        {"event": "warning", "code": "pth-file", "message": "three is odd", "hint": None},
        {"event": "note", "code": "left-out", "message": first},
        {"event": "note", "code": "left-out", "message": second},
    ]
    assert json.loads(captured.out) == {
        "manifest_version": 1,
        "lambdabuild": __version__,
        "artifacts": [artifact_document(API), artifact_document(artifact())],
        "output": "/project/dist/lambda",
        "findings": [
            {"severity": "warning", "code": "hidden-module", "message": "one is hidden", "hint": "rename it"},
            {"severity": "warning", "code": "hidden-module", "message": "two is hidden", "hint": "rename it"},
            {"severity": "warning", "code": "pth-file", "message": "three is odd", "hint": None},
        ],
        "left_out": {"api.zip": [f"m{number}.py" for number in range(9)], "web.zip": ["one.py", "two.py"]},
        "kept": {},
        "distributions_cached": 2,
        "distributions_installed": 1,
        "seconds": 1.26,
        "verification": None,
        "unverified": None,
        "unconfigured": [],
        "replaced": [],
        "removed": [],
    }
    assert captured.out == json.dumps(json.loads(captured.out), indent=2) + "\n"


def test_a_validation(capsys: pytest.CaptureFixture[str]) -> None:
    Console().validated(CHECKED, FINDINGS[2:], lines=("dist/api.zip  1 byte", "dist/layer.zip  2"), tolerant=False)
    captured = capsys.readouterr()
    assert captured.out == ("  dist/api.zip  1 byte\n  dist/layer.zip  2\n")
    assert captured.err == "warning: three is odd\n"


def test_what_was_measured_is_told_beside_errors(capsys: pytest.CaptureFixture[str]) -> None:
    found = (Finding(severity="error", code="zipped-size", message="too large", hint="less"), *FINDINGS[2:])
    with pytest.raises(PolicyError) as caught:
        Console().validated(CHECKED, found, lines=("api.zip",), tolerant=False)
    assert str(caught.value) == "too large\n  hint: less"
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("  api.zip\n", "warning: three is odd\n")
    Console().validated(CHECKED, found, lines=("api.zip",), tolerant=True)
    assert capsys.readouterr().err == "warning: too large\n  hint: less\nwarning: three is odd\n"


def test_a_validation_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Console(as_json=True).validated(CHECKED, (), lines=("api.zip",), tolerant=False)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out) == {
        "archives": [
            {
                "path": "dist/api.zip",
                "zipped_size": 1_500,
                "unzipped_size": 131_072_000,
                "files": 1,
                "layers": ["layer.zip"],
            },
            {
                "path": "dist/layer.zip",
                "zipped_size": 20_000_000,
                "unzipped_size": 1_000_000,
                "files": 7,
                "layers": None,
            },
        ],
        "findings": [],
    }


PARTS = (
    SplitPart(name="layer-1", zipped_size=40_000_000, unzipped_size=200_000_000, owners=("numpy 2.3", "pandas 2.3")),
    SplitPart(name="layer-2", zipped_size=999, unzipped_size=5_000, owners=("six 1.17",)),
)


def test_a_proposed_split(capsys: pytest.CaptureFixture[str]) -> None:
    Console().proposed(PARTS)
    captured = capsys.readouterr()
    assert captured.out == (
        "  layer-1.zip  40.0 MB  200.0 MB unzipped  numpy 2.3, pandas 2.3\n"
        "  layer-2.zip    999 B    5.0 kB unzipped  six 1.17\n"
        "lambdabuild layer --split --make makes them\n"
    )
    Console(as_json=True).proposed(PARTS[1:])
    assert json.loads(capsys.readouterr().out) == {
        "layers": [{"name": "layer-2", "zipped_size": 999, "unzipped_size": 5_000, "owners": ["six 1.17"]}]
    }


def test_a_build_that_installs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    provenance = replace(API.provenance, builder="none")
    bare = replace(REPORT, artifacts=(replace(API, layers=(), provenance=provenance),), installed=0, cached=0)
    Console().report(replace(bare, findings=(), left_out={}, targets=("python3.13 arm64",)))
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == (
        "python3.13 arm64, not verified, distributions: 0 installed, 0 from the cache, 1.3 s"
    )
    assert captured.err == ""


def test_progress_is_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    for event in (
        Event(phase="resolve", text="reading the lock"),
        Event(phase="index", text="reading wheels", done=1),
        Event(phase="index", text="reading wheels", done=1_000_000),
        Event(phase="assemble", text="writing archives"),
        Event(phase="assemble", text="writing archives"),
        Event(phase="resolve", text="reading the lock"),
    ):
        console.listen(event)
    captured = capsys.readouterr()
    assert captured.err == "reading the lock …\nwriting archives …\nreading the lock …\n"
    assert captured.out == ""


@pytest.mark.parametrize(
    ("as_json", "told"),
    [
        (False, "note: building on this machine\n  because\n"),
        (
            True,
            '{"event": "note", "code": "host-builder", "message": "building on this machine\\n  because"}\n',
        ),
    ],
)
def test_notices(capsys: pytest.CaptureFixture[str], as_json: bool, told: str) -> None:
    console = Console(as_json=as_json)
    console.notice("building on this machine\n  because", code="host-builder")
    console.quiet()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", told)


LIVE = """
from lambdabuild.console import Console
from lambdabuild.errors import PolicyError
from lambdabuild.model.events import Event
console = Console()
console.listen(Event(phase="wait", text="waiting for [a folder]", done=1_234_567))
console.notice("noted")
"""


def test_a_terminal_sees_what_goes_on_and_keeps_what_counts() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [sys.executable, "-c", LIVE], stderr=theirs, stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm"}
        )
        os.close(theirs)
        shown = b""
        try:
            while chunk := screen.read(1 << 16):
                shown += chunk
        except OSError:  # how a terminal ends on Linux
            pass
        assert process.wait() == 0
    assert b"waiting for [a folder] 1.2 MB" in shown
    assert b"\x1b[" in shown
    assert shown.endswith(b"note: noted\r\n")


class Clock:
    """Tells the times that it is given, one after the other."""

    def __init__(self, *times: float) -> None:
        self._times = list(times)

    def __call__(self) -> float:
        return self._times.pop(0)


def test_progress_for_programs_is_a_json_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(as_json=True, clock=Clock(0, 1, 1.05, 1.2))
    progress.listen(Event(phase="resolve", text="reading the lock"))
    for done in (1, 2, 3):
        progress.listen(Event(phase="index", text="reading wheels", done=done, total=3))
    captured = capsys.readouterr()
    assert [json.loads(line) for line in captured.err.splitlines()] == [
        {"event": "progress", "phase": "resolve", "text": "reading the lock", "done": None, "total": None},
        {"event": "progress", "phase": "index", "text": "reading wheels", "done": 1, "total": 3},
        {"event": "progress", "phase": "index", "text": "reading wheels", "done": 3, "total": 3},
    ]


def test_the_time_of_each_phase() -> None:
    progress = Progress(clock=Clock(11, 14, 14.5, 20, 21))
    for phase in ("resolve", "install", "resolve", "assemble"):
        progress.listen(Event(phase=phase, text=phase))
    assert progress.spent() == {"resolve": 3 + 5.5, "install": 0.5, "assemble": 1}


ROWS = (
    Row(name="demo", handler=False, owner="demo 1.0", status="ok", seconds=0.5),
    Row(name="win", handler=False, owner="demo 1.0", status="optional", seconds=0.1, message="OSError: no"),
)
VERIFIED = Verification(
    artifacts=(VerifiedArtifact(file="layer.zip", rows=ROWS, remembered=False),), images=("python3.13",), seconds=2.14
)
OPTIONAL = (
    "note: layer.zip has modules that cannot be imported without slimming either:\n  win (demo 1.0): OSError: no\n"
)


def test_a_report_of_what_was_verified(capsys: pytest.CaptureFixture[str]) -> None:
    Console().report(replace(REPORT, findings=(), left_out={}, verification=VERIFIED))
    captured = capsys.readouterr()
    assert captured.out.splitlines()[3] == "verified: 2 modules in the python3.13 image, 2.1 s"
    assert captured.err == OPTIONAL
    Console().report(replace(REPORT, findings=(), left_out={}, unverified="there is no image"))
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == (
        "python3.13 x86_64, python3.12 arm64, docker builder, not verified, "
        "distributions: 1 installed, 2 from the cache, 1.3 s"
    )
    assert captured.err == "note: not verified: there is no image\n"


def test_a_verification(capsys: pytest.CaptureFixture[str]) -> None:
    error = Finding(severity="error", code="import-failed", message="told by whoever raises it")
    Console().verified(VERIFIED, (FINDINGS[2], error))
    captured = capsys.readouterr()
    assert captured.out == (
        "  layer.zip\n"
        "    demo (demo 1.0)    0.50 s  ok\n"
        "    win (demo 1.0)     0.10 s  optional: OSError: no\n"
        "verified: 2 modules in the python3.13 image, 2.1 s\n"
    )
    assert captured.err == "warning: three is odd\n" + OPTIONAL


def test_a_verification_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Console(as_json=True).verified(VERIFIED, FINDINGS[2:])
    assert json.loads(capsys.readouterr().out) == {
        "verification": verification_document(VERIFIED),
        "findings": [{"severity": "warning", "code": "pth-file", "message": "three is odd", "hint": None}],
    }
    error = Finding(severity="error", code="import-failed", message="whoever raises it has the document")
    Console(as_json=True).verified(VERIFIED, (error,))
    assert capsys.readouterr().out == ""
