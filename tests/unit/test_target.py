"""model.target: AWS's words and everyone else's."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from packaging.markers import Marker, default_environment

from lambdabuild.configfile import read_runtimes
from lambdabuild.model.choices import ARCHITECTURES
from lambdabuild.model.target import Libstdcxx, Runtime, Target, find_runtime, parse_runtimes

AL2 = {
    "python": "3.9",
    "os": "Amazon Linux 2",
    "glibc": "2.26",
    "wheel-glibc": "2.17",
    "libstdcxx": {"glibcxx": "3.4.24", "cxxabi": "1.3.11"},
    "deprecation": date(2025, 12, 15),
}
AL2023 = {
    "python": "3.10",
    "os": "Amazon Linux 2023",
    "glibc": "2.34",
    "wheel-glibc": "2.34",
    "libstdcxx": {"glibcxx": "3.4.29", "cxxabi": "1.3.13"},
    "newest-libstdcxx": {"glibcxx": "3.4.33", "cxxabi": "1.3.15"},
    "deprecation": date(2029, 6, 30),
}
LIBRARIES = ["libc.so.6", "libpython{python}.so.1.0"]
PY39, PY310 = parse_runtimes({"libraries": LIBRARIES, "runtime": [AL2, AL2023]})


def test_parse_runtimes() -> None:
    runtimes = parse_runtimes({"libraries": LIBRARIES, "runtime": [AL2]})
    libstdcxx = Libstdcxx(glibcxx=(3, 4, 24), cxxabi=(1, 3, 11))
    assert runtimes == (
        Runtime(
            python="3.9",
            os="Amazon Linux 2",
            glibc=(2, 26),
            wheel_glibc=(2, 17),
            libstdcxx=libstdcxx,
            newest_libstdcxx=libstdcxx,
            libraries=frozenset({"libc.so.6", "libpython3.9.so.1.0"}),
            deprecation=date(2025, 12, 15),
        ),
    )
    assert PY310.newest_libstdcxx == Libstdcxx(glibcxx=(3, 4, 33), cxxabi=(1, 3, 15))
    assert PY39.name == "python3.9"


def test_runtimes_are_sorted_as_versions_not_as_texts() -> None:
    assert parse_runtimes({"libraries": LIBRARIES, "runtime": [AL2023, AL2]}) == (PY39, PY310)


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        ({}, KeyError, "runtime"),
        ({"runtime": [AL2]}, KeyError, "libraries"),
        ({"libraries": "libc.so.6", "runtime": [AL2]}, TypeError, "libraries must be an array"),
        ({"libraries": [], "runtime": {"python": "3.13"}}, TypeError, "array of tables"),
        ({"libraries": [], "runtime": [AL2 | {"glibc": "2"}]}, ValueError, "not enough values"),
        ({"libraries": [], "runtime": [{"python": "3.13"}]}, KeyError, "os"),
    ],
)
def test_a_malformed_table_is_a_bug(document: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_runtimes(document)


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        ("3.9", PY39),
        ("python3.9", PY39),
        ("3.10", PY310),
        ("3.1", None),
        ("3.10.1", None),
        ("cpython3.9", None),
        ("", None),
    ],
)
def test_find_runtime(python: str, expected: Runtime | None) -> None:
    assert find_runtime((PY39, PY310), python) is expected


@pytest.mark.parametrize(
    ("runtime", "architecture", "names"),
    [
        (PY39, "x86_64", ("x86_64", "amd64", "x86_64-manylinux_2_17", "python3.9 x86_64")),
        (PY39, "arm64", ("aarch64", "arm64", "aarch64-manylinux_2_17", "python3.9 arm64")),
        (PY310, "x86_64", ("x86_64", "amd64", "x86_64-manylinux_2_34", "python3.10 x86_64")),
        (PY310, "arm64", ("aarch64", "arm64", "aarch64-manylinux_2_34", "python3.10 arm64")),
    ],
)
def test_names(runtime: Runtime, architecture: str, names: tuple[str, ...]) -> None:
    target = Target(runtime=runtime, architecture=architecture)
    assert (target.machine, target.oci_architecture, target.uv_platform, str(target)) == names


@pytest.mark.parametrize(
    ("marker", "x86_64", "arm64"),
    [
        ("python_version == '3.10'", True, True),
        ("python_full_version >= '3.10'", True, True),
        ("python_version < '3.10'", False, False),
        ("sys_platform == 'linux' and os_name == 'posix' and platform_system == 'Linux'", True, True),
        ("implementation_name == 'cpython' and platform_python_implementation == 'CPython'", True, True),
        ("platform_machine == 'aarch64'", False, True),
        ("platform_machine == 'x86_64'", True, False),
        ("platform_machine == 'arm64'", False, False),
        ("sys_platform == 'win32' or sys_platform == 'darwin'", False, False),
    ],
)
def test_markers_are_read_as_in_the_runtime(marker: str, x86_64: bool, arm64: bool) -> None:
    answers = [
        Marker(marker).evaluate(Target(runtime=PY310, architecture=architecture).marker_environment)
        for architecture in ARCHITECTURES
    ]
    assert answers == [x86_64, arm64]


def test_no_marker_is_read_as_on_the_machine_that_builds() -> None:
    environment = Target(runtime=PY310, architecture="arm64").marker_environment
    assert environment.keys() == default_environment().keys()


def test_the_runtimes_of_lambda() -> None:
    facts = {runtime.name: (runtime.os, runtime.glibc, runtime.wheel_glibc) for runtime in read_runtimes()}
    assert facts == {
        "python3.10": ("Amazon Linux 2", (2, 26), (2, 17)),
        "python3.11": ("Amazon Linux 2", (2, 26), (2, 17)),
        "python3.12": ("Amazon Linux 2023", (2, 34), (2, 34)),
        "python3.13": ("Amazon Linux 2023", (2, 34), (2, 34)),
        "python3.14": ("Amazon Linux 2023", (2, 34), (2, 34)),
        "python3.15": ("Amazon Linux 2023", (2, 34), (2, 34)),
    }


@pytest.mark.parametrize("runtime", read_runtimes(), ids=str)
def test_no_wheel_may_ask_for_more_than_the_runtime_has(runtime: Runtime) -> None:
    assert runtime.wheel_glibc <= runtime.glibc
