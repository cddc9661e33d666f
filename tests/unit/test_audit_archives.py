"""steps.audit_archives: binaries that are in zips already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lambdabuild.errors import PolicyError
from lambdabuild.model.limits import Finding
from lambdabuild.steps.audit_archives import Stack, audit_archives
from lambdabuild.zipformat import write_zip
from tests.elves import AARCH64, elf
from tests.samples import RUNTIMES, member, target

OLD = elf(versions={"libc.so.6": ["GLIBC_2.99"]})
RECORD = b"demo/__init__.py,,\ndemo/_fast.abi3.so,,\n"


def archive(path: Path, files: Mapping[str, bytes]) -> Path:
    with path.open("wb") as out:
        write_zip(out, [member(name, data) for name, data in files.items()])
    return path


def audited(function: Path | None, *layers: Path, complete: bool = True) -> list[Finding]:
    stack = Stack(target=target(), function=function, layers=layers, complete=complete)
    return audit_archives([stack], runtimes=RUNTIMES)


def test_a_layer_with_records(tmp_path: Path) -> None:
    files = {
        "python/demo/__init__.py": b"from . import _fast",
        "python/demo/_fast.abi3.so": OLD,
        "python/demo-1.0.dist-info/RECORD": RECORD,
    }
    expected = Finding(
        severity="error",
        code="binary-symbols",
        message="demo 1.0: demo/_fast.abi3.so needs GLIBC_2.99; python3.13 (Amazon Linux 2023) has glibc 2.34",
        hint="pin a version of demo with a wheel for python3.13 x86_64",
    )
    assert audited(None, archive(tmp_path / "layer.zip", files)) == [expected]
    site = {name.replace("python/", "python/lib/python3.13/site-packages/"): data for name, data in files.items()}
    assert audited(None, archive(tmp_path / "layer.zip", site)) == [expected]


def test_files_that_no_record_lists(tmp_path: Path) -> None:
    layer = archive(tmp_path / "layer.zip", {"python/demo/_fast.abi3.so": elf(AARCH64)})
    assert audited(None, layer) == [
        Finding(
            severity="error",
            code="binary-machine",
            message="layer.zip: demo/_fast.abi3.so is for arm64, not for python3.13 x86_64",
            hint="pin a version of what brings it with a wheel for python3.13 x86_64",
        )
    ]


def test_code_that_goes_on_without_a_file(tmp_path: Path) -> None:
    tries = b"try:\n    from . import _fast\nexcept ImportError:\n    pass\n"
    layer = archive(tmp_path / "layer.zip", {"python/demo/__init__.py": tries, "python/demo/_fast.abi3.so": OLD})
    assert [one.severity for one in audited(None, layer)] == ["warning"]


def test_a_function_and_its_layers(tmp_path: Path) -> None:
    needs = {"demo/_fast.abi3.so": elf(needed=["libdemo.so.3"])}
    function = archive(tmp_path / "api.zip", needs)
    layer = archive(tmp_path / "layer.zip", {"lib/libdemo.so.3": elf(soname="libdemo.so.3")})
    assert audited(function, layer) == []
    assert [(one.severity, one.message) for one in audited(function)] == [
        (
            "warning",
            "api.zip: demo/_fast.abi3.so needs libdemo.so.3, which neither api.zip nor Amazon Linux 2023 is known to "
            "have",
        )
    ]


def test_what_several_functions_share_is_told_once(tmp_path: Path) -> None:
    layer = archive(tmp_path / "layer.zip", {"python/demo/_fast.abi3.so": OLD})
    functions = [archive(tmp_path / f"{name}.zip", {"app.py": b""}) for name in ("a", "b")]
    stacks = [Stack(target=target(), function=one, layers=(layer,), complete=True) for one in functions]
    assert len(audit_archives(stacks, runtimes=RUNTIMES)) == 1


def test_a_damaged_archive(tmp_path: Path) -> None:
    layer = archive(tmp_path / "layer.zip", {"python/demo.so": OLD})
    data = layer.read_bytes()
    layer.write_bytes(data.replace(b"python/demo.so", b"python/demo.xx", 1))
    with pytest.raises(PolicyError) as caught:
        audited(None, layer)
    assert str(caught.value).startswith(f"{layer} is damaged: File name in directory")
    assert caught.value.hint == "build it again"
