"""model.requirements: from a pylock.toml to the one file of each distribution that the target takes."""

from __future__ import annotations

from typing import Any

import pytest

from lambdabuild.errors import BuildError, PolicyError
from lambdabuild.model.requirements import Pin
from lambdabuild.model.selection import NoUsableWheel, select_pins
from lambdabuild.model.target import Target
from lambdabuild.model.wheels import NoWheel
from tests.samples import RUNTIMES, runtime, target

URL = "https://files.example/packages"
SHA256 = "5e" * 32


def file(filename: str, **changes: Any) -> dict[str, Any]:
    return {"url": f"{URL}/{filename}", "hashes": {"sha256": SHA256}} | changes


def package(name: str, *filenames: str, version: str = "1.0", **more: Any) -> dict[str, Any]:
    """A package of a lock, with wheels of these names."""
    return {"name": name, "version": version, "wheels": [file(filename) for filename in filenames], **more}


def pure(name: str, version: str = "1.0", **more: Any) -> dict[str, Any]:
    return package(name, f"{name}-{version}-py3-none-any.whl", version=version, **more)


def native(name: str, *platforms: str, python: str = "cp311-cp311", **more: Any) -> dict[str, Any]:
    return package(name, *(f"{name}-1.0-{python}-{platform}.whl" for platform in platforms), **more)


def select(*packages: dict[str, Any], target: Target) -> tuple[Pin, ...]:
    return select_pins({"lock-version": "1.0", "created-by": "uv", "packages": list(packages)}, target, RUNTIMES)


def chosen(*filenames: str, target: Target) -> str:
    (pin,) = select(package("demo", *filenames), target=target)
    assert pin.kind == "wheel"
    return pin.filename


PY311, PY313 = target("3.11"), target("3.13")


def test_pins_by_name() -> None:
    assert select(pure("b"), pure("a", version="2.1.post1"), target=PY313) == (
        Pin(name="a", version="2.1.post1", kind="wheel", url=f"{URL}/a-2.1.post1-py3-none-any.whl", sha256=SHA256),
        Pin(name="b", version="1.0", kind="wheel", url=f"{URL}/b-1.0-py3-none-any.whl", sha256=SHA256),
    )
    assert select(target=PY313) == ()


def test_a_pin_in_messages() -> None:
    pin = Pin(name="a", version="1", kind="wheel", url="https://me:pw@x.example/a%2Bb-1.whl?token=1#f", sha256=SHA256)
    assert str(pin) == "a 1"
    assert pin.filename == "a+b-1.whl"


@pytest.mark.parametrize(
    ("marker", "python", "architecture", "needed"),
    [
        ("python_full_version < '3.12'", "3.11", "x86_64", True),
        ("python_full_version < '3.12'", "3.13", "x86_64", False),
        ("python_version == '3.13'", "3.13", "x86_64", True),
        ("platform_machine == 'aarch64'", "3.13", "arm64", True),
        ("platform_machine == 'aarch64'", "3.13", "x86_64", False),
        ("platform_machine == 'arm64'", "3.13", "arm64", False),
        ("sys_platform == 'win32'", "3.13", "x86_64", False),
        ("sys_platform == 'linux' and implementation_name == 'cpython'", "3.13", "x86_64", True),
        ("platform_system == 'Darwin'", "3.13", "arm64", False),
        ("os_name == 'posix'", "3.10", "arm64", True),
    ],
)
def test_markers_are_read_as_in_the_runtime(marker: str, python: str, architecture: str, needed: bool) -> None:
    pins = select(pure("a", marker=marker), target=target(python, architecture))
    assert [pin.name for pin in pins] == (["a"] if needed else [])


def test_one_name_in_two_versions() -> None:
    old = pure("numpy", "1.26", marker="python_full_version < '3.12'")
    new = pure("numpy", "2.3", marker="python_full_version >= '3.12'")
    assert [str(pin) for pin in select(old, new, target=PY311)] == ["numpy 1.26"]
    assert [str(pin) for pin in select(old, new, target=PY313)] == ["numpy 2.3"]


def test_the_best_wheel() -> None:
    any_python = "demo-1.0-py3-none-any.whl"
    stable = "demo-1.0-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    exact = "demo-1.0-cp313-cp313-manylinux2014_x86_64.whl"
    newer = "demo-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"
    others = ["demo-1.0-cp313-cp313-musllinux_1_2_x86_64.whl", "demo-1.0-cp313-cp313-manylinux_2_28_aarch64.whl"]
    assert chosen(any_python, stable, exact, newer, *others, target=PY313) == newer
    assert chosen(any_python, stable, exact, *others, target=PY313) == exact
    assert chosen(any_python, stable, *others, target=PY313) == stable
    assert chosen(any_python, *others, target=PY313) == any_python
    assert chosen(any_python, stable, exact, *others, target=target("3.13", "arm64")) == others[1]


def test_the_ceiling_of_amazon_linux_2() -> None:
    old = "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    new = "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert chosen(old, new, target=PY311) == old


def test_the_choice_does_not_depend_on_the_order() -> None:
    names = ["demo-1.0-2-py3-none-any.whl", "demo-1.0-1-py3-none-any.whl", "demo-1.0-py2.py3-none-any.whl"]
    assert chosen(*names, target=PY313) == chosen(*reversed(names), target=PY313)


def test_an_sdist_when_there_is_no_wheel() -> None:
    sdist = {"name": "demo", "version": "1.0", "sdist": file("demo-1.0.tar.gz")}
    why = NoWheel(name="demo", version="1.0", target=PY313, wheels=(), needed_glibc=None, usable_by=())
    assert select(sdist, target=PY313) == (
        Pin(name="demo", version="1.0", kind="sdist", url=f"{URL}/demo-1.0.tar.gz", sha256=SHA256, no_wheel=why),
    )


def test_an_sdist_when_no_wheel_fits() -> None:
    (pin,) = select(native("demo", "win_amd64", "macosx_11_0_arm64", sdist=file("demo-1.0.tar.gz")), target=PY311)
    assert pin.kind == "sdist"
    assert str(pin.no_wheel) == "demo 1.0 has no wheel for python3.11 x86_64, only for others: 2 of them"


def test_the_glibc_trap() -> None:
    pyarrow = native("pyarrow", "manylinux_2_28_x86_64", "manylinux_2_28_aarch64", sdist=file("pyarrow-1.0.tar.gz"))
    pyarrow["wheels"].append(file("pyarrow-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"))
    odd = native("odd", "win_amd64")
    with pytest.raises(NoUsableWheel) as caught:
        select(pure("fine"), pyarrow, odd, target=PY311)
    assert str(caught.value) == (
        "pyarrow 1.0 needs glibc >= 2.28; python3.11 (Amazon Linux 2) has 2.26\n"
        "odd 1.0 has no wheel for python3.11 x86_64, only for others: 1 of them\n"
        '  hint: for pyarrow: pin an older pyarrow, or set python = "3.13" or newer in [tool.lambdabuild]'
    )
    assert caught.value.exit_code == 1
    assert caught.value.names == ("pyarrow",)
    assert str(NoUsableWheel(caught.value.refused, newest={"pyarrow": "20.0.0"})) == (
        "pyarrow 1.0 needs glibc >= 2.28; python3.11 (Amazon Linux 2) has 2.26\n"
        "odd 1.0 has no wheel for python3.11 x86_64, only for others: 1 of them\n"
        "  hint: for pyarrow: uv add 'pyarrow<=20.0.0' (the newest with a wheel for python3.11 x86_64), "
        'or set python = "3.13" or newer in [tool.lambdabuild]'
    )


def test_a_wheel_for_newer_runtimes_alone() -> None:
    with pytest.raises(NoUsableWheel) as caught:
        select(native("demo", "manylinux_2_17_x86_64", python="cp312-abi3"), target=PY311)
    assert caught.value.refused[0].usable_by == (runtime("3.12"), runtime("3.13"), runtime("3.14"))
    assert str(caught.value) == (
        "demo 1.0 has no wheel for python3.11 x86_64, only for others: 1 of them\n"
        '  hint: for demo: set python = "3.12" or newer in [tool.lambdabuild]'
    )


@pytest.mark.parametrize("hashes", [{"sha512": "00" * 64}, {"md5": "00" * 16}])
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_no_sha256(kind: str, hashes: dict[str, str]) -> None:
    if kind == "wheel":
        name, files = "demo-1.0-py3-none-any.whl", {"wheels": [file("demo-1.0-py3-none-any.whl", hashes=hashes)]}
    else:
        name, files = "demo-1.0.tar.gz", {"sdist": file("demo-1.0.tar.gz", hashes=hashes)}
    with pytest.raises(PolicyError) as caught:
        select({"name": "demo", "version": "1.0", **files}, target=PY313)
    assert str(caught.value) == (
        f"demo 1.0: the lock gives no sha256 for {name}, so it cannot be checked\n"
        "  hint: uv lock --refresh-package demo"
    )


COMMIT = "0123456789abcdef" * 2 + "01234567"


def one(source: dict[str, Any]) -> Pin:
    (pin,) = select({"name": "demo", **source}, target=PY313)
    return pin


def test_a_folder() -> None:
    assert one({"directory": {"path": "../demo", "editable": True}}) == Pin(
        name="demo", version=None, kind="folder", path="../demo"
    )
    assert one({"version": "1.0", "directory": {"path": "/a", "subdirectory": "b"}}) == Pin(
        name="demo", version="1.0", kind="folder", path="/a", subdirectory="b"
    )
    assert str(one({"directory": {"path": "../demo"}})) == "demo"


def test_a_commit() -> None:
    git = {"type": "git", "url": "https://git.example/demo", "commit-id": COMMIT, "subdirectory": "python"}
    assert one({"version": "1.0", "vcs": git}) == Pin(
        name="demo",
        version="1.0",
        kind="commit",
        url="https://git.example/demo",
        commit=COMMIT,
        subdirectory="python",
    )


@pytest.mark.parametrize(
    "vcs",
    [
        {"type": "hg", "url": "https://hg.example/demo", "commit-id": COMMIT},
        {"type": "git", "path": "../demo", "commit-id": COMMIT},
    ],
)
def test_other_repositories(vcs: dict[str, str]) -> None:
    with pytest.raises(BuildError) as caught:
        one({"vcs": vcs})
    assert str(caught.value) == (
        "demo: the lock takes it from a repository that is not a git repository with a URL\n"
        "  hint: publish it to an index, or leave it out of what is packaged"
    )


def test_files_at_a_url() -> None:
    wheel, sdist = file("demo-1.0-py3-none-any.whl"), file("demo-2.0.tar.gz", subdirectory="python")
    assert one({"archive": wheel}) == Pin(name="demo", version="1.0", kind="wheel", url=wheel["url"], sha256=SHA256)
    pin = one({"archive": sdist})
    assert (pin.version, pin.kind, pin.url, pin.subdirectory) == ("2.0", "sdist", sdist["url"], "python")
    with pytest.raises(NoUsableWheel) as caught:
        one({"archive": file("demo-1.0-cp313-cp313-win_amd64.whl")})
    assert str(caught.value) == "demo 1.0 has no wheel for python3.13 x86_64, only for others: 1 of them"


@pytest.mark.parametrize(
    ("filename", "version"),
    [("my-demo-1.0.tar.gz", "1.0"), ("my_demo-1.0rc1.zip", "1.0rc1"), ("v1.0.tar.gz", None), ("main.zip", None)],
)
def test_the_version_of_a_file_at_a_url(filename: str, version: str | None) -> None:
    pin = one({"archive": file(filename)})
    assert (pin.kind, pin.version) == ("sdist", version)


def test_files_that_no_index_serves() -> None:
    wheel = {"path": "wheels/demo-1.0-py3-none-any.whl", "hashes": {"sha256": SHA256}}
    pin = one({"version": "1.0", "wheels": [wheel]})
    assert pin == Pin(name="demo", version="1.0", kind="wheel", path=wheel["path"], sha256=SHA256)
    assert pin.filename == "demo-1.0-py3-none-any.whl"
    sdist = {"path": "demo-1.0.tar.gz", "hashes": {"sha256": SHA256}}
    assert one({"version": "1.0", "sdist": sdist}).path == "demo-1.0.tar.gz"
    assert one({"archive": wheel}).path == wheel["path"]


def test_what_markers_leave_out_is_not_looked_at() -> None:
    elsewhere = {
        "name": "demo",
        "marker": "sys_platform == 'win32'",
        "vcs": {"type": "hg", "url": "x", "commit-id": "0"},
    }
    assert select(elsewhere, target=PY313) == ()


def lock(*packages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"lock-version": "1.0", "created-by": "pdm", "packages": list(packages), **more}


def test_default_groups() -> None:
    """PDM writes a project's own dependencies so."""
    own = pure("own", marker='"default" in dependency_groups')
    dev = pure("dev", marker='"dev" in dependency_groups')
    groups = {"dependency-groups": ["default", "dev"], "default-groups": ["default"]}
    assert [str(pin) for pin in select_pins(lock(own, dev, **groups), PY313, RUNTIMES)] == ["own 1.0"]
    del groups["default-groups"]
    assert select_pins(lock(own, dev, **groups), PY313, RUNTIMES) == ()


def test_the_highest_build_of_a_wheel() -> None:
    names = ["demo-1.0-2-py3-none-any.whl", "demo-1.0-10-py3-none-any.whl", "demo-1.0-py3-none-any.whl"]
    assert chosen(*names, target=PY313) == chosen(*reversed(names), target=PY313) == names[1]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (lock(**{"requires-python": ">=3.14"}), "the lock is for Python >=3.14, and python3.13 is none of these"),
        (lock(pure("a") | {"requires-python": "<3.13"}), "a is for Python <3.13, and python3.13 is none of these"),
        (
            lock(environments=["sys_platform == 'win32'"]),
            "this lock is not for python3.13 x86_64: Provided environment does not satisfy any of the environments "
            "specified in the lock file",
        ),
        (
            lock(pure("a"), pure("a", "2.0")),
            "this lock is not for python3.13 x86_64: Multiple packages with the name 'a' are selected at packages[1] "
            "and packages[0]",
        ),
    ],
)
def test_a_lock_for_others(document: dict[str, Any], problem: str) -> None:
    with pytest.raises(BuildError) as caught:
        select_pins(document, PY313, RUNTIMES)
    assert str(caught.value) == problem


def test_a_lock_for_newer_patch_releases() -> None:
    """The runtime has a new one."""
    document = lock(pure("a") | {"requires-python": ">=3.13.2"}, **{"requires-python": ">=3.13.4"})
    assert [str(pin) for pin in select_pins(document, PY313, RUNTIMES)] == ["a 1.0"]


GIT = {"type": "git", "url": "https://git.example/demo", "commit-id": COMMIT}
HINT = "if no tool of yours wrote this, do not use the lock; otherwise lock again"
ADDRESS = "expected a URL that begins with https://, http:// or file://"
FOLDER = "expected a folder below the top of the source tree"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            {"vcs": GIT | {"url": "--upload-pack=touch owned;"}},
            'the lock gives "--upload-pack=touch owned;" as the address of a repository; expected a URL that begins '
            "with https://, http://, ssh://, git:// or file://",
        ),
        (
            {"vcs": GIT | {"commit-id": "--orphan"}},
            'the lock gives "--orphan" as a commit; expected its full id, 40 or 64 hexadecimal digits',
        ),
        ({"vcs": GIT | {"subdirectory": "../../etc"}}, f'the lock gives "../../etc" as a subdirectory; {FOLDER}'),
        ({"directory": {"path": "a", "subdirectory": "/etc"}}, f'the lock gives "/etc" as a subdirectory; {FOLDER}'),
        (
            {"archive": file("demo-1.0.tar.gz", subdirectory="a&egg=b")},
            f'the lock gives "a&egg=b" as a subdirectory; {FOLDER}',
        ),
        (
            {"archive": {"url": "ftp://files.example/demo-1.0.tar.gz", "hashes": {"sha256": SHA256}}},
            f'the lock gives "ftp://files.example/demo-1.0.tar.gz" as the address of a file; {ADDRESS}',
        ),
        (
            {"archive": {"url": "https://me:pw@files.example/a b/demo-1.0.tar.gz", "hashes": {"sha256": SHA256}}},
            f'the lock gives "https://files.example/a b/demo-1.0.tar.gz" as the address of a file; {ADDRESS}',
        ),
        (
            {"archive": {"url": f"{URL}/..%2F..%2Fdemo-1.0.tar.gz", "hashes": {"sha256": SHA256}}},
            'the lock gives "../../demo-1.0.tar.gz" as the name of a file; expected a name like demo-1.0.tar.gz',
        ),
        (
            {"archive": {"path": "wheels/-rdemo.tar.gz", "hashes": {"sha256": SHA256}}},
            'the lock gives "-rdemo.tar.gz" as the name of a file; expected a name like demo-1.0.tar.gz',
        ),
        (
            {"archive": file("demo-1.0.tar.gz", hashes={"sha256": "../x"})},
            'the lock gives "../x" as a sha256; expected 64 hexadecimal digits',
        ),
    ],
)
def test_what_a_lock_gives_is_data(source: dict[str, Any], problem: str) -> None:
    with pytest.raises(BuildError) as caught:
        one(source)
    assert str(caught.value) == f"demo: {problem}\n  hint: {HINT}"


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example/demo.git",
        "ssh://git@git.example:2222/demo",
        "git@git.example:group/demo.git",
        "file:///repositories/demo",
        "git://git.example/demo",
    ],
)
def test_addresses_of_repositories(url: str) -> None:
    assert one({"vcs": GIT | {"url": url}}).url == url


def test_digits_may_be_large() -> None:
    assert one({"vcs": GIT | {"commit-id": COMMIT.upper()}}).commit == COMMIT
    assert one({"archive": file("demo-1.0.tar.gz", hashes={"sha256": SHA256.upper()})}).sha256 == SHA256


def test_a_file_whose_address_does_not_name_it() -> None:
    wheel = {"name": "demo-1.0-py3-none-any.whl", "url": f"{URL}/5e/5e5e", "hashes": {"sha256": SHA256}}
    assert one({"version": "1.0", "wheels": [wheel]}).filename == "demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(("marker", "needed"), [("'fast' in extras", 0), ("'dev' not in dependency_groups", 1)])
def test_markers_of_a_lock_file(marker: str, needed: int) -> None:
    assert len(select(pure("a", marker=marker), target=PY313)) == needed


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "Missing required value in 'lock-version'"),
        ({"lock-version": "2.0", "created-by": "uv", "packages": []}, "pylock version 2.0 is not supported"),
        (
            {"lock-version": "1.0", "created-by": "uv", "packages": [{"name": "demo", "version": "1.0"}]},
            "Exactly one of vcs, directory, archive must be set if sdist and wheels are not set in 'packages[0]'",
        ),
    ],
)
def test_no_lock_at_all(document: dict[str, Any], problem: str) -> None:
    with pytest.raises(BuildError) as caught:
        select_pins(document, PY313, RUNTIMES)
    assert str(caught.value) == f"this is not a lock that lambdabuild can read: {problem}"
