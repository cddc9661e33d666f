"""model.hints: what to do about an import that failed, each hint true of what there is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambdabuild.model.hints import Advice, Surroundings, general_hint
from lambdabuild.model.tree import SOURCES
from lambdabuild.model.verification import Cause, Failure, Place
from tests.samples import target

ADVICE = Advice(
    module=lambda name: "it is in the project" if name in ("helpers", "gen.api_pb2") else None,
    file=lambda path: f"{path} is in the project" if path == "data.csv" else None,
    dependencies="api/requirements.txt",
)
AROUND = Surroundings(
    owners={
        "/var/task/app.py": SOURCES,
        "/var/task/pkg/__init__.py": SOURCES,
        "/opt/python/yaml/__init__.py": "PyYAML 6.0",
        "/opt/python/lib/python3.13/site-packages/deep/__init__.py": "deep 2",
        "/opt/python/google/cloud/storage/__init__.py": "google-cloud-storage 3",
    },
    removed={},
    layers={"shared": ("pandas",)},
    stdlib={"3.11": ("json", "distutils"), "3.12": ("json", "cgi"), "3.13": ("json", "email"), "3.14": ("json", "new")},
    advice=ADVICE,
)


def hint(kind: str, message: str, around: Surroundings = AROUND, *, function: str = "f", status: int = 0) -> str | None:
    place = Place(file="/var/task/app.py", line=1, function=function)
    cause = Cause(type=f"builtins.{kind}", message=message, place=place)
    failure = Failure(kind="raised", type=kind, message=message, status=status, causes=(cause,), places=(place,))
    return general_hint(failure, around, target=target(), owner=None, handler=True)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("helpers", "it is in the project"),
        ("pkg.gone", '"pkg" is there, of the sources, and lacks "pkg.gone": mend the import'),
        (
            "yaml.gone",
            '"yaml" is there, of PyYAML 6.0, and lacks "yaml.gone": choose a version of PyYAML that has it, or '
            "mend the import",
        ),
        (
            "deep.a.b",
            '"deep" is there, of deep 2, and lacks "deep.a.b": choose a version of deep that has it, or mend '
            "the import",
        ),
        ("email.gone", '"email" is of the standard library, and lacks "email.gone": mend the import'),
        ("pandas", '"pandas" is in the layer shared, which this function does not use: add "shared" to its layers'),
        ("google.cloud.pubsub", 'add the distribution that brings "google.cloud.pubsub" to api/requirements.txt'),
        ("requests.sessions", 'add the distribution that brings "requests" to api/requirements.txt'),
        (
            "cgi",
            '"cgi" left the standard library after Python 3.12: use python = "3.12", or add the distribution that '
            'brings "cgi" to api/requirements.txt',
        ),
        (
            "distutils.version",
            '"distutils" left the standard library after Python 3.11: use python = "3.11", or add the distribution '
            'that brings "distutils" to api/requirements.txt',
        ),
        ("new", 'add the distribution that brings "new" to api/requirements.txt'),
    ],
)
def test_a_module_that_is_not_there(module: str, expected: str) -> None:
    assert hint("ModuleNotFoundError", f"No module named '{module}'") == expected


def test_nothing_is_known_of_the_project() -> None:
    around = replace(AROUND, advice=None)
    assert hint("ModuleNotFoundError", "No module named 'helpers'", around) == (
        'add the distribution that brings "helpers" to the dependencies (uv add), or to a layer'
    )


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        (
            "OSError",
            "libzbar.so.0: cannot open shared object file: No such file or directory",
            "bring libzbar.so.0 along (Lambda finds it in lib/ of a function's source), or do without it",
        ),
        (
            "ImportError",
            "failed to find libmagic.  Check your installation",
            "Amazon Linux 2023 of python3.13 has no such library: bring it along (Lambda finds it in lib/ of a "
            "function's source), or do without it",
        ),
        (
            "PermissionError",
            "[Errno 13] Permission denied: 'x.db'",
            "a function can write to /tmp alone: let it write there",
        ),
        ("OSError", "[Errno 30] Read-only file system: '/x'", "a function can write to /tmp alone: let it write there"),
        (
            "PermissionError",
            "[Errno 13] Permission denied: '/var/task/app.py'",
            "Lambda runs functions as another user: files in an archive must be readable for all (0644)",
        ),
        (
            "OSError",
            "[Errno 28] No space left on device",
            "a function has 512 MB of /tmp when its configuration says no more: write less of it at import",
        ),
        (
            "FileNotFoundError",
            "[Errno 2] No such file or directory: '/home/sbx_user1051/.cache'",
            "a function has no home folder, it can write to /tmp alone: let it write there",
        ),
        (
            "FileNotFoundError",
            "[Errno 2] No such file or directory: '/var/task/data.csv'",
            "data.csv is in the project",
        ),
        (
            "FileNotFoundError",
            "[Errno 2] No such file or directory: 'other.csv'",
            "no such file is in the archive: package it, or read it in the handler's function",
        ),
        (
            "ImportError",
            "cannot import name 'x' from partially initialized module 'a' (most likely due to a circular import)",
            "modules that import each other: import one of them where it is used, in a function",
        ),
        (
            "ImportError",
            "cannot import name 'dump2' from 'yaml' (/opt/python/yaml/__init__.py)",
            'PyYAML 6.0 defines no "dump2" in yaml: choose a version of PyYAML that does',
        ),
        ("ImportError", "cannot import name 'api_pb2' from 'gen' (/var/task/gen/__init__.py)", "it is in the project"),
        (
            "ImportError",
            "attempted relative import with no known parent package",
            "import it without the dots: the handler's module is at the root of the archive, and in no package",
        ),
        (
            "SyntaxError",
            "invalid syntax (newer.py, line 4)",
            "write what Python 3.13 can read, or build for a newer one: python in [tool.lambdabuild]",
        ),
        ("SyntaxError", "invalid syntax (__init__.py, line 4)", "choose a version of PyYAML for Python 3.13"),
        ("AttributeError", "module 'json' has no attribute 'x'", "mend the code at that place"),
        ("ValueError", "no", "mend it; or, where it needs what it has in Lambda alone, build with --no-verify"),
    ],
)
def test_what_else_fails(kind: str, message: str, expected: str) -> None:
    assert hint(kind, message) == expected


def test_a_program() -> None:
    assert hint("FileNotFoundError", "[Errno 2] No such file or directory: 'ffmpeg'", function="_execute_child") == (
        "the image has no such program: package it, and run it by its path below /var/task"
    )
