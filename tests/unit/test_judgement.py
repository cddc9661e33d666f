"""model.judgement: what is said of imports that failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambdabuild.model.hints import Surroundings
from lambdabuild.model.judgement import Case, find_culprits, judge
from lambdabuild.model.limits import Finding
from lambdabuild.model.tree import SOURCES
from lambdabuild.model.verification import Cause, Failure, Place, Removed, Tried
from tests.samples import member, target

NOTHING = Surroundings(owners={}, removed={}, layers={}, stdlib={})
AROUND = Surroundings(
    owners={"/opt/python/demo/__init__.py": "demo 1.0", "/var/task/app.py": SOURCES},
    removed={
        f"/opt/{path}": Removed(member=member(path), owner="demo 1.0", rule='tests = "strip"', keep="demo/tests/")
        for path in ("python/demo/tests/__init__.py", "python/demo/tests/a.py", "python/demo/tests/__pycache__/a.pyc")
    },
    layers={},
    stdlib={},
)
PLACES = tuple(Place(file="/opt/python/demo/__init__.py", line=line, function="f", text="f()") for line in range(1, 6))


def raised(error: str, message: str, *places: Place, module: str = "builtins") -> Failure:
    cause = Cause(type=f"{module}.{error}", message=message, place=places[-1] if places else None)
    return Failure(kind="raised", type=error, message=message, causes=(cause,), places=places)


def case(failure: Failure | None, *, handler: bool = False, full: Failure | str | None = None) -> Case:
    """``full`` is how it fails with nothing left out, or the files that it opens there."""
    name = "app.handler" if handler else "demo"
    tried = None
    if full is not None:
        opened = tuple(full.split()) if isinstance(full, str) else ()
        tried = Tried(name=name, seconds=1, failure=None if isinstance(full, str) else full, opened=opened)
    return Case(
        file="layer.zip",
        name="app",
        handler=handler,
        owner=None if handler else "demo 1.0",
        target=target(),
        slim=Tried(name=name, seconds=2, failure=failure),
        full=tried,
    )


def error(of: Case, around: Surroundings = NOTHING) -> str:
    row, finding = judge(of, around)
    assert row.status == "broken"
    assert finding is not None
    assert finding.severity == "error"
    return finding.message + (f"\n  hint: {finding.hint}" if finding.hint else "")


def test_all_is_well() -> None:
    row, finding = judge(case(None), NOTHING)
    assert (row.name, row.owner, row.handler, row.status, row.seconds, row.message) == (
        "demo",
        "demo 1.0",
        False,
        "ok",
        2,
        None,
    )
    assert finding is None


def test_a_module_that_fails_in_any_case_is_optional() -> None:
    failure = raised("ModuleNotFoundError", "No module named 'winreg'")
    row, finding = judge(case(failure, full=failure), NOTHING)
    assert (row.status, row.message) == ("optional", "ModuleNotFoundError: No module named 'winreg'")
    assert finding is None


@pytest.mark.parametrize(
    "message",
    [
        "libx.so.1: cannot open shared object file: No such file or directory",
        "/lib64/libc.so.6: version `GLIBC_2.38' not found (required by /opt/python/demo/_x.so)",
        "/opt/python/demo/_x.so: undefined symbol: PyObject_X",
        "/opt/python/demo/_x.so: wrong ELF class: ELFCLASS32",
        "/opt/python/demo/_x.so: invalid ELF header",
    ],
)
def test_a_binary_that_fails_in_any_case_is_broken(message: str) -> None:
    failure = raised("ImportError", message, *PLACES)
    bring = (
        "; or bring libx.so.1 along (Lambda finds it in lib/ of a function's source)"
        if message.startswith("libx")
        else ""
    )
    assert error(case(failure, full=failure), AROUND) == (
        f"layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: ImportError: {message}\n"
        "  at /opt/python/demo/__init__.py:3 of demo 1.0: f()\n"
        "  at /opt/python/demo/__init__.py:4 of demo 1.0: f()\n"
        "  at /opt/python/demo/__init__.py:5 of demo 1.0: f()\n"
        "  hint: choose a version of demo whose wheel fits python3.13 x86_64, or leave it out" + bring
    )


def test_a_crash() -> None:
    failure = Failure(kind="exited", status=-11, signal="SIGSEGV", log=("one", "two"))
    assert error(case(failure, full=failure)) == (
        "layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: "
        "the interpreter was killed by SIGSEGV\n  | one\n  | two\n"
        "  hint: choose a version of demo whose wheel fits python3.13 x86_64, or leave it out"
    )


def test_a_rule_that_left_out_what_is_opened() -> None:
    failure = raised("ModuleNotFoundError", "No module named 'demo.tests'", PLACES[0])
    opened = "/opt/python/demo/tests/__init__.py /opt/python/demo/tests/a.py /opt/python/demo/tests/__pycache__/a.pyc"
    assert error(case(failure, full=opened), AROUND) == (
        "layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: "
        "ModuleNotFoundError: No module named 'demo.tests'\n"
        "  at /opt/python/demo/__init__.py:1 of demo 1.0: f()\n"
        '  tests = "strip" left out python/demo/tests/__init__.py and 1 more of demo 1.0\n'
        '  hint: keep = ["demo/tests/"] in [tool.lambdabuild] brings it back'
    )


def test_a_folder_that_is_listed() -> None:
    full = Tried(name="demo", seconds=1, opened=("/opt/python", "/opt/python/demo", "/opt/python/demo/tests"))
    assert [one.member.path for one in find_culprits(full, AROUND)] == [
        "python/demo/tests/__init__.py",
        "python/demo/tests/a.py",
    ]


def test_nobody_saw_what_was_missing() -> None:
    failure = raised("RuntimeError", "no tests")
    assert error(case(failure, full="/opt/python/demo/__init__.py"), AROUND) == (
        "layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: RuntimeError: no tests\n"
        '  hint: it can be without slimming: keep = ["demo/tests/"] in [tool.lambdabuild]'
    )
    assert error(case(failure, full="/opt/python/demo/__init__.py")) == (
        "layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: RuntimeError: no tests"
    )


def test_it_was_not_tried_whole() -> None:
    of = replace(case(raised("RuntimeError", "")), untold="the project has changed since it was built")
    assert error(of) == (
        "layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: RuntimeError\n"
        "  whether it can without slimming was not tried: the project has changed since it was built"
    )


def test_a_handler_is_never_optional() -> None:
    failure = raised("ModuleNotFoundError", "No module named 'requests.sessions'")
    assert error(case(failure, handler=True, full=failure)) == (
        "layer.zip: the handler app.handler cannot be imported in the python3.13 image: "
        "ModuleNotFoundError: No module named 'requests.sessions'\n"
        '  hint: add the distribution that brings "requests" to the dependencies (uv add), or to a layer'
    )


def test_a_long_message_is_cut() -> None:
    failure = raised("ValueError", "\n".join("abcdefg"))
    assert error(case(failure, handler=True)).splitlines()[1:-1] == ["  b", "  c", "  d", "  e"]


def test_an_exit_and_a_hang() -> None:
    exited = Failure(kind="exited", status=3, log=tuple("abcdefg"))
    assert error(case(exited, handler=True)) == (
        "layer.zip: the handler app.handler cannot be imported in the python3.13 image: "
        "the interpreter ended with exit status 3\n  | c\n  | d\n  | e\n  | f\n  | g\n"
        "  hint: mend it; or, where it needs what it has in Lambda alone, build with --no-verify"
    )
    hung = Failure(kind="timeout")
    assert error(case(hung)) == (
        "layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: it did not end within 2 s"
    )


def test_a_file_that_is_not_readable() -> None:
    failure = raised("PermissionError", "[Errno 13] Permission denied: '/var/task/app.py'")
    assert error(case(failure, handler=True)).splitlines()[-1] == (
        "  hint: Lambda runs functions as another user: files in an archive must be readable for all (0644)"
    )


@pytest.mark.parametrize("file", ["<frozen os>", "/var/lang/lib/python3.10/os.py"])
def test_an_environment_variable_is_not_there(file: str) -> None:
    place = Place(file=file, line=1, function="__getitem__")
    failure = raised("KeyError", "'TABLE'", place)
    row, finding = judge(case(failure, handler=True), NOTHING)
    assert (row.status, row.message) == ("unmet", "KeyError: 'TABLE'")
    assert finding == Finding(
        severity="warning",
        code="import-unmet",
        message="layer.zip: the handler app.handler was not imported to its end, because it needs the environment "
        "variable TABLE: KeyError: 'TABLE'",
        hint='env = { TABLE = "1" } in [tool.lambdabuild.functions.app.verify] lets it be tried, with values that it '
        "takes; what is not needed at import is better done in the handler's function",
    )
    elsewhere = raised("KeyError", "'TABLE'", replace(place, file="/var/task/app.py"))
    assert judge(case(elsewhere, handler=True), NOTHING)[0].status == "broken"


def test_the_network_is_not_there() -> None:
    told = raised("RuntimeError", "no settings")
    for cause in (
        Cause(type="socket.gaierror", message="[Errno -3] Temporary failure in name resolution", place=None),
        Cause(type="builtins.OSError", message="[Errno 101] Network is unreachable", place=None),
        Cause(type="botocore.exceptions.NoCredentialsError", message="Unable to locate credentials", place=None),
    ):
        failure = replace(told, causes=(*told.causes, cause))
        _, finding = judge(case(failure, handler=True), NOTHING)
        assert finding is not None
        assert finding.message == (
            "layer.zip: the handler app.handler was not imported to its end, because it needs the network, "
            "or credentials: RuntimeError: no settings"
        )


def test_a_pattern_with_a_backslash_is_a_literal_string() -> None:
    path = "python/demo/[1].dat"
    removed = Removed(member=member(path), owner="demo 1.0", rule='exclude "*.dat"', keep=r"demo/\[1].dat")
    around = replace(NOTHING, removed={f"/opt/{path}": removed})
    assert error(case(raised("OSError", "no"), full=f"/opt/{path}"), around).splitlines()[-1] == (
        r"  hint: keep = ['demo/\[1].dat'] in [tool.lambdabuild] brings it back"
    )


def test_an_sdk_of_another_version_than_the_runtimes() -> None:
    path = "/opt/python/botocore/__init__.py"
    left = Removed(
        member=member("python/botocore/__init__.py"), owner="botocore 2.0", rule='boto3 = "runtime"', keep=""
    )
    around = replace(NOTHING, removed={path: left})
    failure = raised("ImportError", "cannot import name 'new' from 'botocore'")
    assert error(case(failure, full=path), around) == (
        "layer.zip: demo of demo 1.0 cannot be imported in the python3.13 image: "
        "ImportError: cannot import name 'new' from 'botocore'\n"
        '  boto3 = "runtime" left out python/botocore/__init__.py of botocore 2.0\n'
        '  hint: boto3 = "bundle" in [tool.lambdabuild], or in the table that says "runtime", brings it back'
    )
