"""model.wheels: which wheels a runtime takes, and how it says what the others would need."""

from __future__ import annotations

import pytest

from lambdabuild.model.wheels import NoWheel, find_needed_glibc, runtimes_that_take, tags_of, wheel_tags
from tests.samples import RUNTIMES, runtime, target

PYARROW = tuple(
    f"pyarrow-22.0.0-{python}-{python}-manylinux_2_28_{machine}.whl"
    for python in ("cp311", "cp313")
    for machine in ("x86_64", "aarch64")
)


def tags(python: str, architecture: str = "x86_64") -> list[str]:
    return [str(tag) for tag in wheel_tags(target(python, architecture))]


def test_the_best_tags_come_first() -> None:
    assert tags("3.13")[:2] == ["cp313-cp313-manylinux_2_34_x86_64", "cp313-cp313-manylinux_2_33_x86_64"]
    order = [
        "cp313-cp313-manylinux_2_34_x86_64",
        "cp313-cp313-manylinux_2_17_x86_64",
        "cp313-cp313-manylinux2014_x86_64",
        "cp313-cp313-manylinux_2_5_x86_64",
        "cp313-cp313-manylinux1_x86_64",
        "cp313-cp313-linux_x86_64",
        "cp313-abi3-manylinux_2_34_x86_64",
        "cp313-none-manylinux_2_34_x86_64",
        "cp312-abi3-manylinux_2_34_x86_64",
        "cp39-abi3-manylinux2014_x86_64",
        "py313-none-manylinux_2_34_x86_64",
        "py3-none-manylinux2014_x86_64",
        "cp313-none-any",
        "py3-none-any",
    ]
    assert sorted(order, key=tags("3.13").index) == order


@pytest.mark.parametrize(
    ("python", "architecture", "newest"),
    [
        ("3.10", "x86_64", "manylinux_2_17_x86_64"),
        ("3.11", "arm64", "manylinux_2_17_aarch64"),
        ("3.12", "x86_64", "manylinux_2_34_x86_64"),
        ("3.14", "arm64", "manylinux_2_34_aarch64"),
    ],
)
def test_glibc_ceilings(python: str, architecture: str, newest: str) -> None:
    assert tags(python, architecture)[0].endswith(f"-{newest}")


@pytest.mark.parametrize(
    "tag",
    [
        "cp313-cp313-manylinux_2_35_x86_64",
        "cp313-cp313-manylinux_2_34_aarch64",
        "cp313-cp313-musllinux_1_2_x86_64",
        "cp313-cp313-macosx_11_0_arm64",
        "cp313-cp313-win_amd64",
        "cp313-cp313t-manylinux_2_17_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp314-abi3-manylinux_2_17_x86_64",
        "py2-none-any",
        "pp311-pypy311_pp73-manylinux_2_17_x86_64",
    ],
)
def test_tags_of_others(tag: str) -> None:
    assert tag not in tags("3.13")


def test_tags_of_a_file_name() -> None:
    name = "a-1.0-1-cp311.cp312-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
    assert {str(tag) for tag in tags_of(name)} == {
        "cp311-abi3-manylinux2014_x86_64",
        "cp311-abi3-manylinux_2_17_x86_64",
        "cp312-abi3-manylinux2014_x86_64",
        "cp312-abi3-manylinux_2_17_x86_64",
    }
    assert tags_of("a-1.0.tar.gz") == frozenset()
    assert tags_of("a.whl") == frozenset()


@pytest.mark.parametrize(
    ("filenames", "needed"),
    [
        (PYARROW, (2, 28)),
        (["a-1-cp311-cp311-manylinux_2_39_x86_64.whl", "a-1-cp311-cp311-manylinux_2_31_x86_64.whl"], (2, 31)),
        (["a-1-cp311-cp311-manylinux_2_28_aarch64.whl"], None),
        (["a-1-cp313-cp313-manylinux_2_28_x86_64.whl"], None),
        (["a-1-cp311-cp311-musllinux_1_2_x86_64.whl", "a-1-cp311-cp311-win_amd64.whl"], None),
        (["a-1-cp38-abi3-manylinux_2_28_x86_64.whl"], (2, 28)),
        (["a-1.tar.gz"], None),
        ([], None),
    ],
)
def test_the_glibc_that_is_needed(filenames: list[str], needed: tuple[int, int] | None) -> None:
    assert find_needed_glibc(filenames, target("3.11")) == needed


def test_runtimes_that_take_a_wheel() -> None:
    assert runtimes_that_take(PYARROW, RUNTIMES, "x86_64") == (runtime("3.13"),)
    assert runtimes_that_take(PYARROW, RUNTIMES, "arm64") == (runtime("3.13"),)
    assert runtimes_that_take(["a-1-cp311-abi3-manylinux_2_28_x86_64.whl"], RUNTIMES, "x86_64") == (
        runtime("3.12"),
        runtime("3.13"),
        runtime("3.14"),
    )
    assert runtimes_that_take(["a-1-cp311-abi3-manylinux_2_28_x86_64.whl"], RUNTIMES, "arm64") == ()
    assert runtimes_that_take(["a-1-py3-none-any.whl"], RUNTIMES, "arm64") == RUNTIMES[:-1]  # no preview


def no_wheel(python: str, **changes: object) -> NoWheel:
    values = {"wheels": PYARROW, "needed_glibc": None, "usable_by": (), **changes}
    return NoWheel(name="pyarrow", version="22.0.0", target=target(python), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("why", "message"),
    [
        (
            no_wheel("3.11", needed_glibc=(2, 28)),
            "pyarrow 22.0.0 needs glibc >= 2.28; python3.11 (Amazon Linux 2) has 2.26",
        ),
        (
            no_wheel("3.11", needed_glibc=(2, 24)),
            "pyarrow 22.0.0 needs glibc >= 2.24; python3.11 (Amazon Linux 2) has 2.26, and takes wheels up to 2.17",
        ),
        (
            no_wheel("3.13", needed_glibc=(2, 39)),
            "pyarrow 22.0.0 needs glibc >= 2.39; python3.13 (Amazon Linux 2023) has 2.34",
        ),
        (no_wheel("3.14"), "pyarrow 22.0.0 has no wheel for python3.14 x86_64, only for others: 4 of them"),
        (no_wheel("3.14", wheels=()), "pyarrow 22.0.0 has no wheel for python3.14 x86_64, only a source distribution"),
    ],
)
def test_why_there_is_no_wheel(why: NoWheel, message: str) -> None:
    assert str(why) == message


def test_the_next_runtime_that_could() -> None:
    assert no_wheel("3.11", usable_by=(runtime("3.11"), runtime("3.13"), runtime("3.14"))).newer_runtime == runtime(
        "3.13"
    )
    assert no_wheel("3.11", usable_by=(runtime("3.11"),)).newer_runtime is None
