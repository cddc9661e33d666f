"""model.verification: what the runtime told, read; and documents."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from lambdabuild.model.verification import (
    Cause,
    Failure,
    Place,
    Row,
    Tried,
    Unset,
    Untried,
    Verification,
    VerifiedArtifact,
    find_fault,
    parse_handler,
    parse_module,
    parse_rows,
    rows_document,
    verification_document,
    with_import_times,
)
from lambdabuild.model.verifiedtext import notes, savings, summary, table

PLACE = {"file": "/opt/python/demo.py", "line": 2, "function": "<module>", "text": "boom()"}
RAISED: dict[str, Any] = {
    "type": "ValueError",
    "message": "no",
    "places": [{**PLACE, "file": "/var/task/lambdabuild_probe.py"}, {**PLACE, "file": "<frozen importlib>"}, PLACE],
    "causes": [{"type": "builtins.ValueError", "message": "no", "place": PLACE}],
    "unset": [["TABLE", "/opt/python/demo.py", 2]],
    "enumerated": ["/opt/python/settings.py"],
}
INIT_ERROR = {"errorType": "Runtime.ImportModuleError", "errorMessage": "Unable to import module 'app'"}


def test_a_module_that_is_imported() -> None:
    answer = {"seconds": 9, "value": {"seconds": 0.5, "failure": None, "opened": ["/opt/a"]}}
    assert parse_module("demo", answer) == Tried(name="demo", seconds=0.5, opened=("/opt/a",))


def test_a_module_that_raises() -> None:
    place = Place(file="/opt/python/demo.py", line=2, function="<module>", text="boom()")
    assert parse_module("demo", {"seconds": 9, "value": {"seconds": 0.5, "failure": RAISED, "opened": []}}) == Tried(
        name="demo",
        seconds=0.5,
        failure=Failure(
            kind="raised",
            type="ValueError",
            message="no",
            causes=(Cause(type="builtins.ValueError", message="no", place=place),),
            places=(place,),
            unset=(Unset(name="TABLE", file="/opt/python/demo.py", line=2),),
            enumerated=("/opt/python/settings.py",),
        ),
    )


def test_an_interpreter_that_dies() -> None:
    log = ["Fatal Python error: Segmentation fault", '  File "/opt/python/demo.py", line 2 in <module>']
    failure = {"kind": "exited", "status": -11, "signal": "SIGSEGV", "log": log}
    assert parse_module("demo", {"seconds": 1, "failure": failure}).failure == Failure(
        kind="exited",
        status=-11,
        signal="SIGSEGV",
        places=(Place(file="/opt/python/demo.py", line=2, function="<module>"),),
        log=tuple(log),
    )


def test_places_of_a_fault_are_those_of_artifacts_the_innermost_last() -> None:
    log = [
        "Current thread 0x00007f (most recent call first):",
        '  File "/var/lang/lib/python3.13/ctypes/__init__.py", line 9 in string_at',
        '  File "/opt/python/inner.py", line 2 in <module>',
        '  File "<frozen importlib._bootstrap>", line 488 in _call_with_frames_removed',
        '  File "/var/task/app.py", line 1 in <module>',
        '  File "/var/task/lambdabuild_probe.py", line 30 in handler',
    ]
    assert [(place.file, place.line) for place in find_fault(log)] == [
        ("/var/task/app.py", 1),
        ("/opt/python/inner.py", 2),
    ]


def test_a_handler_is_told_of_by_the_runtime_unless_its_module_fails_by_itself() -> None:
    init = {"seconds": 1.5, "failure": {"kind": "raised", "error": INIT_ERROR, "log": ["x"]}}
    by_runtime = Failure(
        kind="raised", type="Runtime.ImportModuleError", message="Unable to import module 'app'", log=("x",)
    )
    by_itself = Failure(kind="raised", type="ValueError", message="no")
    assert parse_handler("app.handler", {"seconds": 1.5, "value": None}, None) == Tried(name="app.handler", seconds=1.5)
    for probed, failure in (
        (None, by_runtime),
        (Tried(name="app", seconds=1), by_runtime),
        (Tried(name="app", seconds=1, failure=by_itself), by_itself),
    ):
        assert parse_handler("app.handler", init, probed) == Tried(name="app.handler", seconds=1.5, failure=failure)


OK = Row(name="demo", handler=False, owner="demo 1.0", status="ok", seconds=0.1234)
HANDLER = Row(name="app.handler", handler=True, owner=None, status="ok", seconds=1.5)
OPTIONAL = Row(name="win", handler=False, owner="demo 1.0", status="optional", seconds=0.2, message="OSError: a\n  b")
OURS = Row(name="ours", handler=False, owner=None, status="broken", seconds=0.3, message="ValueError: no")
LAYER = VerifiedArtifact(file="layer.zip", rows=(OK, OPTIONAL), remembered=False)
APP = VerifiedArtifact(file="app.zip", rows=(HANDLER,), remembered=True)


def verification(*artifacts: VerifiedArtifact, images: tuple[str, ...] = ("python3.13",)) -> Verification:
    return Verification(artifacts=artifacts, images=images, seconds=2.14)


def test_documents() -> None:
    untried = (Untried(file="web.zip", layer="shared"),)
    document = verification_document(
        Verification(artifacts=(LAYER, APP), images=("a",), seconds=1.23456, untried=untried)
    )
    assert document == {
        "images": ["a"],
        "seconds": 1.235,
        "artifacts": [
            {"path": "layer.zip", "ok": True, "remembered": False, "imports": rows_document((OK, OPTIONAL))},
            {"path": "app.zip", "ok": True, "remembered": True, "imports": rows_document((HANDLER,))},
        ],
        "untried": [{"file": "web.zip", "layer": "shared"}],
    }
    assert rows_document((OK,)) == [
        {
            "name": "demo",
            "handler": False,
            "owner": "demo 1.0",
            "status": "ok",
            "seconds": 0.123,
            "message": None,
            "compiled": None,
            "uncompiled": None,
        }
    ]
    assert parse_rows(json.loads(json.dumps(rows_document((HANDLER, OURS))))) == (HANDLER, OURS)
    broken = VerifiedArtifact(file="layer.zip", rows=(OURS,), remembered=False)
    assert verification_document(verification(broken))["artifacts"][0]["ok"] is False


def test_what_bytecode_saves() -> None:
    values = [{"failure": None, "processor": seconds} for seconds in (0.214, 0.526)]
    tried = Tried(name="app.handler", seconds=1.5)
    told = with_import_times(tried, [{"value": value} for value in values])
    assert (told.seconds, told.compiled, told.uncompiled) == (1.5, 0.214, 0.526)
    assert with_import_times(tried, [{"value": values[0]}, {"failure": {}}]) == tried
    assert with_import_times(tried, [{"value": values[0]}, {"value": {"failure": RAISED, "processor": 0.5}}]) == tried
    row = replace(HANDLER, compiled=told.compiled, uncompiled=told.uncompiled)
    app = VerifiedArtifact(file="app.zip", rows=(row,), remembered=True)
    assert list(savings(verification(LAYER, app))) == [
        "with bytecode the handlers' imports take, of the processor: app.zip 0.21 s instead of 0.53 s"
    ]
    assert list(savings(verification(LAYER, APP))) == []


def test_a_summary() -> None:
    assert summary(verification(LAYER, APP)) == "verified: 1 handler, 2 modules in the python3.13 image, 2.1 s"
    assert summary(verification(APP)) == "verified before, unchanged: 1 handler in the python3.13 image"
    unmet = VerifiedArtifact(file="app.zip", rows=(replace(HANDLER, status="unmet"),), remembered=False)
    assert summary(verification(LAYER, unmet)) == (
        "verified: 1 handler (1 not to the end), 2 modules in the python3.13 image, 2.1 s"
    )
    broken = VerifiedArtifact(file="layer.zip", rows=(OK, OURS), remembered=False)
    assert summary(verification(broken, images=("python3.12", "python3.13"))) == (
        "not verified: 1 of 2 modules in the python3.12 and python3.13 images, 2.1 s"
    )


def test_notes() -> None:
    assert list(notes(None, why_not=None)) == []
    assert list(notes(None, why_not="there is no image")) == ["not verified: there is no image"]
    untried = (Untried(file="web.zip", layer="shared"),)
    told = Verification(artifacts=(LAYER, APP), images=(), seconds=1, untried=untried)
    assert list(notes(told, why_not=None)) == [
        "web.zip is not verified: its layer shared is of others, and not known here",
        "layer.zip has modules that cannot be imported without slimming either:\n  win (demo 1.0): OSError: a\n  b",
    ]


def test_tables() -> None:
    rows = VerifiedArtifact(file="layer.zip", rows=(OK, OPTIONAL, OURS), remembered=False)
    assert list(table(rows)) == [
        "  layer.zip",
        "    demo (demo 1.0)    0.12 s  ok",
        "    win (demo 1.0)     0.20 s  optional: OSError: a",
        "    ours               0.30 s  broken: ValueError: no",
    ]
    assert list(table(APP)) == ["  app.zip (tried before)", "    app.handler (handler)    1.50 s  ok"]
