"""wheels.installed: a listing of what was laid down, held against what the wheels say."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path

import pytest

from lambdabuild.model.segment import launcher_for_runtime
from lambdabuild.wheels.installed import Expected, LaidFile, find_differences, parse_listing

LISTING = (files("lambdabuild.resources") / "programs" / "listing.py").read_text()
TO_RUNTIME = partial(launcher_for_runtime, python="3.13")


def laid(content: bytes, *, executable: bool = False) -> LaidFile:
    return LaidFile(size=len(content), executable=executable, sha256=hashlib.sha256(content).hexdigest())


def list_folder(folder: Path) -> dict[str, LaidFile]:
    done = subprocess.run([sys.executable, "-I", "-c", LISTING, folder], capture_output=True, text=True, check=True)
    return parse_listing(done.stdout, TO_RUNTIME)


def test_a_listing_tells_paths_sizes_modes_and_hashes(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_bytes(b"A = 1\n")
    (tmp_path / "pkg" / "tool").write_bytes(b"#!/bin/sh\n")
    (tmp_path / "pkg" / "tool").chmod(0o755)
    (tmp_path / "pkg" / "link").symlink_to("a.py")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_bytes(b"#!/somewhere/bin/python3\nimport pkg\n")
    assert list_folder(tmp_path) == {
        "bin/tool": laid(b"#!/var/lang/bin/python3.13\nimport pkg\n"),
        "pkg/a.py": laid(b"A = 1\n"),
        "pkg/link": LaidFile(size=4, executable=False, sha256=""),
        "pkg/tool": laid(b"#!/bin/sh\n", executable=True),
    }


def test_a_name_that_is_not_utf8_is_listed(tmp_path: Path) -> None:
    Path(bytes(tmp_path).decode(), "caf\udce9.py").write_bytes(b"")
    assert list(list_folder(tmp_path)) == ["caf\udce9.py"]


@pytest.mark.parametrize("text", ["", "[", "{}x", '[["a", 1]]', '[["a", "x", true, "", null]]', "[1]"])
def test_what_is_no_listing(text: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        parse_listing(text, TO_RUNTIME)


NUMPY = Expected(
    distribution="numpy 2.5.5", files={"numpy/a.py": laid(b"a"), "shared.py": laid(b"x"), "bin/f2py": laid(b"f")}
)
OTHER = Expected(distribution="other 1.0", files={"other.py": laid(b"o"), "shared.py": laid(b"y")})
WHOLE = {**NUMPY.files, **OTHER.files}


def test_what_was_laid_down_as_it_should_be() -> None:
    own = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
    installers = {f"numpy-2.5.5.dist-info/{name}": laid(b"uv") for name in own}
    assert list(find_differences([NUMPY, OTHER], WHOLE | installers | {".lock": laid(b"")})) == []
    assert list(find_differences([NUMPY, OTHER], WHOLE | {"shared.py": laid(b"x")})) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"numpy/a.py": laid(b"longer")}, "numpy 2.5.5: numpy/a.py was laid down with 6 bytes in place of 1"),
        (
            {"numpy/a.py": laid(b"b")},
            "numpy 2.5.5: numpy/a.py was laid down with the sha256 "
            f"{laid(b'b').sha256} in place of {laid(b'a').sha256}",
        ),
        (
            {"numpy/a.py": laid(b"a", executable=True)},
            "numpy 2.5.5: numpy/a.py was laid down with the right to run it",
        ),
        (
            {"numpy/a.py": LaidFile(size=1, executable=False, sha256="")},
            "numpy 2.5.5: numpy/a.py was laid down with something else than a regular file",
        ),
        (
            {"shared.py": laid(b"z")},
            f"numpy 2.5.5: shared.py was laid down with the sha256 {laid(b'z').sha256} in place of {laid(b'x').sha256}",
        ),
        ({"extra.py": laid(b"")}, "extra.py was laid down, and no wheel holds it"),
        ({"numpy/RECORD": laid(b"")}, "numpy/RECORD was laid down, and no wheel holds it"),
    ],
)
def test_a_difference_names_the_file(change: dict[str, LaidFile], told: str) -> None:
    assert list(find_differences([NUMPY, OTHER], WHOLE | change)) == [told]


def test_a_file_that_was_not_laid_down() -> None:
    found = list(find_differences([NUMPY], {k: v for k, v in NUMPY.files.items() if k != "numpy/a.py"}))
    assert found == ["numpy 2.5.5: numpy/a.py was not laid down"]


def test_a_launcher_is_told_with_its_content() -> None:
    content = b"#!/x/python\nrest"
    row = ["bin/tool", len(content), True, "wrong", base64.b64encode(content).decode()]
    assert parse_listing(json.dumps([row]), TO_RUNTIME) == {
        "bin/tool": laid(b"#!/var/lang/bin/python3.13\nrest", executable=True)
    }
