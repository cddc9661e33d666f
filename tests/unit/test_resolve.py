"""steps.resolve: real uv, real projects in a temporary folder, an index on the loopback address."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lambdabuild.cache import Cache
from lambdabuild.errors import BuildError, MachineError, PolicyError, UsageError
from lambdabuild.lockinputs import lock_inputs
from lambdabuild.model.needs import NOTHING, Locked, LockFile, Needs, Required, Script
from lambdabuild.model.requirements import Pin
from lambdabuild.model.selection import NoUsableWheel
from lambdabuild.model.target import Target
from lambdabuild.steps.resolve import Resolution, Resolver
from lambdabuild.uv import find_binary, run
from tests.index import Index
from tests.samples import RUNTIMES, target
from tests.wheels import sdist, wheel

PYPROJECT = """\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.10"
dependencies = ["one", "two; sys_platform == 'win32'"]
[project.optional-dependencies]
fast = ["three"]
[dependency-groups]
dev = ["four"]
cloud = ["five"]
"""


@pytest.fixture
def environ(index: Index, tmp_path: Path) -> dict[str, str]:
    for name in ("one", "two", "three", "four", "five"):
        index.add(wheel(name))
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": str(Path(sys.executable).parent),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_DEFAULT_INDEX": index.simple,
        "UV_HTTP_RETRIES": "0",
        "UV_PYTHON": sys.executable,
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "shop"
    project.mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT)
    return project


def resolver(project: Path, environ: Mapping[str, str], *, upgrade: bool = False) -> Resolver:
    cache = Cache(project.parent / "cache")
    cache.ensure()
    return Resolver(
        project=project,
        binary=find_binary(),
        uv_version="0",
        environ=environ,
        runtimes=RUNTIMES,
        cache=cache,
        upgrade=upgrade,
    )


def resolve(resolver: Resolver, needs: Needs, target: Target) -> Resolution:
    return resolver.resolve(needs, target, owner="functions.api")


def names(resolution: Resolution) -> list[str]:
    return [str(pin) for pin in resolution.pins]


def test_selections_of_a_lock(project: Path, environ: dict[str, str], index: Index) -> None:
    shop = resolver(project, environ)
    shop.lock()
    lock = (project / "uv.lock").read_bytes()
    for locked, pins, direct in (
        (Locked(), ["one 1.0"], ["one", "two; sys_platform == 'win32'"]),
        (Locked(extras=("fast",)), ["one 1.0", "three 1.0"], ["one", "two; sys_platform == 'win32'", "three"]),
        (Locked(groups=("cloud",)), ["five 1.0", "one 1.0"], ["one", "two; sys_platform == 'win32'", "five"]),
        (Locked(only_groups=("cloud", "dev")), ["five 1.0", "four 1.0"], ["five", "four"]),
    ):
        resolution = resolve(shop, locked, target())
        assert names(resolution) == pins
        assert list(resolution.direct) == direct
    (pin,) = resolve(shop, Locked(), target()).pins
    one = wheel("one")
    assert (pin.version, pin.url, pin.sha256) == ("1.0", f"{index.url}/files/{one.filename}", one.sha256)
    assert (project / "uv.lock").read_bytes() == lock
    assert sorted(path.name for path in project.iterdir()) == ["pyproject.toml", "uv.lock"]


def test_no_setting_of_uv_names_another_project_or_group(project: Path, environ: dict[str, str]) -> None:
    resolver(project, environ).lock()
    other = project.parent / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text(PYPROJECT.replace('"one"', '"three"'))
    resolver(other, environ).lock()
    settings = dict.fromkeys(("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"), str(other))
    for setting in (*settings.items(), ("UV_DEV", "1"), ("UV_NO_GROUP", "cloud"), ("UV_NO_GROUP", "none")):
        shop = resolver(project, {**environ, **dict([setting])})
        assert names(resolve(shop, Locked(groups=("cloud",)), target())) == ["five 1.0", "one 1.0"], setting


def test_no_needs_ask_nobody(project: Path) -> None:
    assert resolve(resolver(project, {}), NOTHING, target()) == Resolution(pins=(), direct=())


def test_no_lock(project: Path, environ: dict[str, str]) -> None:
    with pytest.raises(PolicyError) as caught:
        resolve(resolver(project, environ), Locked(), target())
    assert str(caught.value) == (
        f"{project} has no uv.lock\n  hint: uv lock --project {project}   (or add --lock to this command)"
    )
    assert [path.name for path in project.iterdir()] == ["pyproject.toml"]


@pytest.mark.parametrize("ask", ["resolve", "lock"])
def test_dependencies_that_uv_is_not_told_of(project: Path, environ: dict[str, str], ask: str) -> None:
    """uv would write a lock of nothing."""
    (project / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "0.1"\n')
    (project / "Pipfile").write_text('[packages]\none = "*"\n')
    shop = resolver(project, environ)
    with pytest.raises(UsageError) as caught:
        shop.lock() if ask == "lock" else resolve(shop, Locked(), target())
    assert caught.value.message.startswith(f"the dependencies of {project} are in Pipfile, which lambdabuild does not")
    assert not (project / "uv.lock").exists()


def test_a_stale_lock(project: Path, environ: dict[str, str]) -> None:
    shop = resolver(project, environ)
    shop.lock()
    lock = (project / "uv.lock").read_bytes()
    (project / "pyproject.toml").write_text(PYPROJECT.replace('"one"', '"three", "one"'))
    with pytest.raises(PolicyError) as caught:
        resolve(shop, Locked(), target())
    assert str(caught.value) == (
        f"{project}: uv.lock is older than what pyproject.toml asks for\n"
        f"  hint: uv lock --project {project}   (or add --lock to this command)"
    )
    assert (project / "uv.lock").read_bytes() == lock
    shop.lock()
    assert names(resolve(shop, Locked(), target())) == ["one 1.0", "three 1.0"]


def test_an_index_that_is_gone(project: Path, environ: dict[str, str], index: Index) -> None:
    index.close()
    with pytest.raises(MachineError) as caught:
        resolver(project, environ).lock()
    assert caught.value.message.startswith("uv lock failed; uv says:\n  ")
    assert f"Failed to fetch: {index.simple}/" in caught.value.message


def test_the_newest_version_that_would_do(project: Path, environ: dict[str, str], index: Index) -> None:
    for version, glibc in (("1.0", "17"), ("2.0", "17"), ("3.0", "28")):
        index.add(wheel("arrow", version, tag=f"cp311-cp311-manylinux_2_{glibc}_x86_64"))
    (project / "pyproject.toml").write_text(PYPROJECT.replace('"one"', '"arrow>=3"'))
    shop = resolver(project, environ)
    shop.lock()
    with pytest.raises(NoUsableWheel) as caught:
        resolve(shop, Locked(), target("3.11"))
    assert str(caught.value) == (
        "arrow 3.0 needs glibc >= 2.28; python3.11 (Amazon Linux 2) has 2.26\n"
        "  hint: for arrow: uv add 'arrow<=2.0' (the newest with a wheel for python3.11 x86_64)"
    )
    index.close()
    with pytest.raises(NoUsableWheel) as caught:
        resolve(shop, Locked(), target("3.11"))
    assert str(caught.value) == (
        "arrow 3.0 needs glibc >= 2.28; python3.11 (Amazon Linux 2) has 2.26\n  hint: for arrow: pin an older arrow"
    )


def test_a_group_that_is_not_there(project: Path, environ: dict[str, str]) -> None:
    shop = resolver(project, environ)
    shop.lock()
    with pytest.raises(BuildError) as caught:
        resolve(shop, Locked(groups=("clod",)), target())
    assert caught.value.message.startswith("reading the lock (uv export) failed; uv says:\n  ")
    assert "`clod`" in caught.value.message


# Requirements that are not pinned


def downloads(index: Index) -> int:
    return sum(path.startswith("/simple/") for path, _ in index.requests)


def test_requirements_are_resolved_once(project: Path, environ: dict[str, str], index: Index) -> None:
    needs = Required(lines=("one>=1", "three"))
    first = resolve(resolver(project, environ), needs, target())
    assert names(first) == ["one 1.0", "three 1.0"]
    assert first.direct == ("one>=1", "three")
    assert downloads(index) > 0
    index.add(wheel("one", "2.0"))
    index.requests.clear()
    assert resolve(resolver(project, environ), needs, target()) == first
    assert index.requests == []
    cold = environ | {"UV_CACHE_DIR": str(project.parent / "cold")}
    assert names(resolve(resolver(project, cold, upgrade=True), needs, target())) == ["one 2.0", "three 1.0"]
    assert names(resolve(resolver(project, environ), needs, target())) == ["one 2.0", "three 1.0"]


def settings_in(path: Path, *, above: int = 0) -> str:
    """Write settings of uv's to a file; gives the path of the file, or of a folder above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('resolution = "lowest"\n')
    return str((path, *path.parents)[above])


@pytest.mark.parametrize(
    "changed",
    [
        lambda project, environ: (Required(lines=("one>=1", "two")), target(), environ),
        lambda project, environ: (Required(lines=("one>=1",)), target("3.12"), environ),
        lambda project, environ: (Required(lines=("one>=1",)), target("3.13", "arm64"), environ),
        lambda project, environ: (
            Required(lines=("one>=1",)),
            target(),
            environ | {"UV_INDEX_STRATEGY": "first-index"},
        ),
        lambda project, environ: (Required(lines=("one>=1",)), target(), environ | {"UV_RESOLUTION": "lowest"}),
        lambda project, environ: (Required(lines=("one>=1",)), target(), environ | {"UV_PRERELEASE": "allow"}),
        lambda project, environ: (
            Required(lines=("one>=1",)),
            target(),
            environ | {"UV_CONFIG_FILE": settings_in(project / "mine.toml")},
        ),
        lambda project, environ: (
            Required(lines=("one>=1",)),
            target(),
            environ | {"XDG_CONFIG_HOME": settings_in(project / "config" / "uv" / "uv.toml", above=2)},
        ),
    ],
)
def test_what_a_resolution_depends_on(
    project: Path, environ: dict[str, str], changed: Callable[..., tuple[Needs, Target, dict[str, str]]]
) -> None:
    shop = resolver(project, environ)
    resolve(shop, Required(lines=("one>=1",)), target())
    needs, goal, other = changed(project, environ)
    kept = project.parent / "cache" / "v3" / "resolutions"
    assert len(list(kept.iterdir())) == 1
    resolve(resolver(project, other), needs, goal)
    assert len(list(kept.iterdir())) == 2


@pytest.mark.parametrize(
    "name",
    [
        *("UV_CACHE_DIR", "UV_INDEX_MINE_PASSWORD", "UV_PUBLISH_TOKEN", "TZ", "PIP_NO_INPUT", "UV_LINK_MODE"),
        *("UV_HTTP_TIMEOUT", "UV_CONCURRENT_DOWNLOADS", "NO_PROXY", "UV_PYTHON_INSTALL_DIR"),
    ],
)
def test_what_a_resolution_does_not_depend_on(project: Path, environ: dict[str, str], name: str, index: Index) -> None:
    needs = Required(lines=("one>=1",))
    first = resolve(resolver(project, environ), needs, target())
    index.requests.clear()
    value = {"UV_LINK_MODE": "copy", "UV_HTTP_TIMEOUT": "7", "UV_CONCURRENT_DOWNLOADS": "3"}.get(name, "/1")
    assert resolve(resolver(project, environ | {name: value}), needs, target()) == first
    assert index.requests == []


def test_settings_change_what_is_resolved(project: Path, environ: dict[str, str], index: Index) -> None:
    index.add(wheel("one", "1.5"))
    needs = Required(lines=("one>=1",))
    assert names(resolve(resolver(project, environ), needs, target())) == ["one 1.5"]
    lowest = environ | {"UV_RESOLUTION": "lowest"}
    assert names(resolve(resolver(project, lowest), needs, target())) == ["one 1.0"]
    settings_in(project / "uv.toml")
    assert names(resolve(resolver(project, environ), needs, target())) == ["one 1.0"]


def test_a_comment_among_settings_changes_nothing(project: Path, environ: dict[str, str], index: Index) -> None:
    (project / "uv.toml").write_text('resolution = "highest"\n')
    needs = Required(lines=("one>=1",))
    first = resolve(resolver(project, environ), needs, target())
    index.add(wheel("one", "1.5"))
    (project / "uv.toml").write_text('# as it is\nresolution = "highest"\n')
    assert resolve(resolver(project, environ), needs, target()) == first


def test_the_settings_of_a_workspace_change_what_is_resolved(
    project: Path, environ: dict[str, str], index: Index
) -> None:
    index.add(wheel("one", "1.5"))
    needs = Required(lines=("one>=1",))
    root = project.parent / "pyproject.toml"
    workspace = f'[tool.uv.workspace]\nmembers = ["{project.name}"]\n'
    root.write_text(workspace)
    assert names(resolve(resolver(project, environ), needs, target())) == ["one 1.5"]
    index.requests.clear()
    root.write_text(f"[tool.black]\nline-length = 99\n{workspace}")
    assert names(resolve(resolver(project, environ), needs, target())) == ["one 1.5"]
    assert index.requests == []
    root.write_text(f'{workspace}[tool.uv]\nresolution = "lowest"\n')
    assert names(resolve(resolver(project, environ), needs, target())) == ["one 1.0"]


def test_requirements_files_and_what_they_name(project: Path, environ: dict[str, str]) -> None:
    (project / "more").mkdir()
    (project / "requirements.txt").write_text("one  # first\n-r more/others.txt\n-c limits.txt\n")
    (project / "more" / "others.txt").write_text("three\n")
    (project / "limits.txt").write_text("three<9\n")
    needs = Required(file="requirements.txt")
    resolution = resolve(resolver(project, environ), needs, target())
    assert names(resolution) == ["one 1.0", "three 1.0"]
    assert resolution.direct == ("one", "three")
    (project / "more" / "others.txt").write_text("four\n")
    assert names(resolve(resolver(project, environ), needs, target())) == ["four 1.0", "one 1.0"]


def test_a_folder_that_comes_to_require_more(project: Path, environ: dict[str, str], index: Index) -> None:
    inner = project / "inner" / "pyproject.toml"
    inner.parent.mkdir()
    inner.write_text('[project]\nname = "inner"\nversion = "1"\ndependencies = ["one"]\n')
    (project / "requirements.txt").write_text("./inner\n")
    needs = Required(file="requirements.txt")
    assert names(resolve(resolver(project, environ), needs, target())) == ["inner", "one 1.0"]
    index.add(wheel("one", "2.0"))
    assert names(resolve(resolver(project, environ), needs, target())) == ["inner", "one 1.0"]
    inner.write_text('[project]\nname = "inner"\nversion = "1"\ndependencies = ["one", "three"]\n')
    assert names(resolve(resolver(project, environ), needs, target())) == ["inner", "one 2.0", "three 1.0"]


PINNED = "one==1.0  # as it was\nthree\n"


@pytest.mark.parametrize(
    ("text", "newest"),
    [
        ("# a comment\n\nthree\none==1.0\n", "1.0"),
        ("one==1.0 \\\n  # as it is\nthree", "1.0"),
        ("-r base.txt\n", "1.0"),
        ("one==1.0\nthree>=1\n", "2.0"),
        ("one==1.0\nthree\n-c limits.txt\n", "2.0"),
    ],
)
def test_a_resolution_is_of_what_lines_mean(
    project: Path, environ: dict[str, str], index: Index, text: str, newest: str
) -> None:
    (project / "requirements.txt").write_text(PINNED)
    (project / "base.txt").write_text(PINNED)
    (project / "limits.txt").write_text("four<3\n")
    needs = Required(file="requirements.txt")
    assert names(resolve(resolver(project, environ), needs, target())) == ["one 1.0", "three 1.0"]
    index.add(wheel("three", "2.0"))
    (project / "requirements.txt").write_text(text)
    assert names(resolve(resolver(project, environ), needs, target())) == ["one 1.0", f"three {newest}"]


def test_the_code_of_a_script_moves_no_version(project: Path, environ: dict[str, str], index: Index) -> None:
    (project / "job.py").write_text(SCRIPT)
    assert names(resolve(resolver(project, environ), Script(file="job.py"), target())) == ["one 1.0"]
    index.add(wheel("one", "2.0"))
    (project / "job.py").write_text(SCRIPT + "print()\n")
    assert names(resolve(resolver(project, environ), Script(file="job.py"), target())) == ["one 1.0"]
    (project / "job.py").write_text(SCRIPT.replace('"one"', '"one>=1"'))
    assert names(resolve(resolver(project, environ), Script(file="job.py"), target())) == ["one 2.0"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_requirements_file_with_a_byte_order_mark(project: Path, environ: dict[str, str], encoding: str) -> None:
    """PowerShell writes UTF-16 for ``pip freeze > requirements.txt``."""
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (project / "requirements.txt").write_bytes(f"{mark}one==1.0\r\n# é\r\nthree\r\n".encode(encoding))
    resolution = resolve(resolver(project, environ), Required(file="requirements.txt"), target())
    assert names(resolution) == ["one 1.0", "three 1.0"]
    assert resolution.direct == ("one==1.0", "three")


def test_half_a_character(project: Path, environ: dict[str, str]) -> None:
    (project / "requirements.txt").write_bytes(b"\xff\xfeo\0n")
    with pytest.raises(UsageError) as caught:
        resolve(resolver(project, environ), Required(file="requirements.txt"), target())
    assert str(caught.value) == f"{project}/requirements.txt: not UTF-16-LE (byte 4)"


# Wheels that ask for a newer glibc


def add_arrow(index: Index) -> None:
    """1.0 and 2.0 have a wheel for Amazon Linux 2; 3.0 has not, and has an sdist."""
    for version, glibc in (("1.0", "17"), ("2.0", "17"), ("3.0", "28")):
        index.add(wheel("arrow", version, tag=f"cp311-cp311-manylinux_2_{glibc}_x86_64"))
    index.add_file("arrow", *sdist("arrow", "3.0"))


def test_the_newest_version_with_a_wheel_is_chosen(project: Path, environ: dict[str, str], index: Index) -> None:
    add_arrow(index)
    (project / "requirements.txt").write_text("arrow>=1\none\n")
    for needs in (Required(lines=("arrow", "one")), Required(file="requirements.txt")):
        resolution = resolve(resolver(project, environ), needs, target("3.11"))
        assert [(str(pin), pin.kind) for pin in resolution.pins] == [("arrow 2.0", "wheel"), ("one 1.0", "wheel")]
    (project / "job.py").write_text(SCRIPT.replace('"one"', '"arrow"'))
    assert names(resolve(resolver(project, environ), Script(file="job.py"), target("3.11"))) == ["arrow 2.0"]


def test_a_pinned_version_without_a_wheel(project: Path, environ: dict[str, str], index: Index) -> None:
    add_arrow(index)
    (project / "requirements.txt").write_text("--require-hashes\narrow==3.0 --hash=sha256:" + "00" * 32)
    (project / "plain.txt").write_text("arrow==3.0\n")
    (project / "job.py").write_text(SCRIPT.replace('"one"', '"arrow>2"'))
    for needs, way in (
        (Required(lines=("arrow>=3",)), 'write "arrow<=2.0" in requirements'),
        (Required(file="plain.txt"), "write arrow<=2.0 in plain.txt"),
        (Script(file="job.py"), "uv add --script job.py 'arrow<=2.0'"),
    ):
        for _ in range(2):  # the second time from the cache
            with pytest.raises(NoUsableWheel) as caught:
                resolve(resolver(project, environ), needs, target("3.11"))
            assert str(caught.value) == (
                "arrow 3.0 needs glibc >= 2.28; python3.11 (Amazon Linux 2) has 2.26\n"
                f"  hint: for arrow: {way} (the newest with a wheel for python3.11 x86_64)"
            )


def test_a_source_distribution_alone_is_built(project: Path, environ: dict[str, str], index: Index) -> None:
    """Also where wheels are for other platforms, of which the message tells."""
    index.add_file("alone", *sdist("alone", "1.0"))
    index.add_file("other", *sdist("other", "1.0"))
    index.add(wheel("other", "1.0", tag="cp311-cp311-win_amd64"))
    pins = resolve(resolver(project, environ), Required(lines=("alone", "other")), target("3.11")).pins
    assert [(pin.kind, str(pin.no_wheel)) for pin in pins] == [
        ("sdist", "alone 1.0 has no wheel for python3.11 x86_64, only a source distribution"),
        ("sdist", "other 1.0 has no wheel for python3.11 x86_64, only for others: 1 of them"),
    ]


@pytest.mark.parametrize("where", ["file", "all", "project", "pip"])
def test_what_is_to_be_built(project: Path, environ: dict[str, str], index: Index, where: str) -> None:
    index.add_file("one", *sdist("one", "1.0"))
    text = "one\n"
    if where in ("file", "all"):
        text += {"file": "--no-binary one\n", "all": "--no-binary=:all:\n"}[where]
    else:
        table = {"project": 'tool.uv]\nno-binary-package = ["one"]', "pip": 'tool.uv.pip]\nno-binary = ["one"]'}[where]
        (project / "pyproject.toml").write_text(f"{PYPROJECT}[{table}\n")
    (project / "requirements.txt").write_text(text)
    (pin,) = resolve(resolver(project, environ), Required(file="requirements.txt"), target()).pins
    assert (pin.kind, str(pin.no_wheel)) == ("sdist", "one 1.0 is to be built from source: no-binary is set for it")


def test_requirements_files_that_name_each_other(project: Path, environ: dict[str, str]) -> None:
    (project / "a.txt").write_text("one\n-r b.txt\n")
    (project / "b.txt").write_text("\n-r a.txt\n")
    with pytest.raises(UsageError) as caught:
        resolve(resolver(project, environ), Required(file="a.txt"), target())
    assert str(caught.value) == f"{project}/b.txt:2: a.txt: the requirements files name each other in a circle"


def test_files_that_are_missing(project: Path, environ: dict[str, str]) -> None:
    (project / "a.txt").write_text("one\n-c gone.txt\n")
    with pytest.raises(UsageError) as caught:
        resolve(resolver(project, environ), Required(file="a.txt"), target())
    assert str(caught.value) == f"{project}/a.txt:2: gone.txt: {project}/gone.txt does not exist"
    for needs, key in (
        (Required(file="gone.txt"), "requirements"),
        (LockFile(file="gone.txt"), "pylock"),
        (Script(file="gone.txt"), "handler"),
    ):
        with pytest.raises(UsageError) as caught:
            resolve(resolver(project, environ), needs, target())
        assert str(caught.value) == (
            f'functions.api.{key} = "gone.txt": {project}/gone.txt does not exist\n'
            "  hint: paths are relative to the project's folder"
        )


def test_files_that_are_none(project: Path, environ: dict[str, str]) -> None:
    (project / "a.txt").write_text("one\n-c pipe.txt\n")
    (project / "b.txt").write_text("-r folder.txt\n")
    (project / "folder.txt").mkdir()
    (project / "c.txt").write_bytes(b"one\n-r d\0.txt\n")
    (project / "d.txt").write_bytes(b"\xff\xfe\0\0a\0\0\0")
    os.mkfifo(project / "pipe.txt")
    for file, problem in {
        "a.txt": f"{project}/pipe.txt: cannot be read: it is a pipe",
        "b.txt": f"{project}/b.txt:1: folder.txt: {project}/folder.txt is a folder",
        "c.txt": f"{project}/c.txt:2: holds a NUL byte\n  hint: save it as UTF-8",
        "d.txt": f"{project}/d.txt:1: holds a NUL byte\n  hint: save it as UTF-8",
        "pipe.txt": f"{project}/pipe.txt: cannot be read: it is a pipe",
        "folder.txt": f'functions.api.requirements = "folder.txt": {project}/folder.txt is a folder\n'
        "  hint: paths are relative to the project's folder",
    }.items():
        with pytest.raises(UsageError) as caught:
            resolve(resolver(project, environ), Required(file=file), target())
        assert str(caught.value) == problem


def test_a_pylock_and_its_local_wheel(project: Path, environ: dict[str, str]) -> None:
    local = wheel("local")
    (project / "locks" / "wheels").mkdir(parents=True)
    (project / "locks" / "wheels" / local.filename).write_bytes(local.data)
    (project / "locks" / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "local"\nversion = "1.0"\n'
        f'wheels = [{{path = "wheels/{local.filename}", hashes = {{sha256 = "{local.sha256}"}}}}]\n'
    )
    (pin,) = resolve(resolver(project, environ), LockFile(file="locks/pylock.toml"), target()).pins
    assert pin.path == str(project / "locks" / "wheels" / local.filename)
    (project / "locks" / "wheels" / local.filename).unlink()
    with pytest.raises(UsageError) as caught:
        resolve(resolver(project, environ), LockFile(file="locks/pylock.toml"), target())
    assert str(caught.value) == (
        f"local 1.0: {pin.path} does not exist\n  hint: the lock names it; lock again after moving things"
    )


@pytest.mark.parametrize(
    ("text", "error", "problem"),
    [
        ("a =\n", UsageError, ":1:4: Invalid value"),
        (
            "a = 1\n",
            BuildError,
            ": this is not a lock that lambdabuild can read: Missing required value in 'lock-version'",
        ),
    ],
)
def test_a_pylock_that_is_none(
    project: Path, environ: dict[str, str], text: str, error: type[UsageError | BuildError], problem: str
) -> None:
    (project / "pylock.toml").write_text(text)
    with pytest.raises(error) as caught:
        resolve(resolver(project, environ), LockFile(file="pylock.toml"), target())
    assert str(caught.value) == f"{project}/pylock.toml{problem}"


def test_an_upgrade_asks_an_index_that_need_not_be_asked_again(
    project: Path, environ: dict[str, str], index: Index
) -> None:
    def lasting() -> None:
        """Let what the index says of ``one`` be good for an hour."""
        path = "/simple/one/"
        index.answers.pop(path, None)
        answer = index.answer(path, None)
        index.answers[path] = replace(answer, headers=(*answer.headers, ("Cache-Control", "max-age=3600")))

    lasting()
    needs = Required(lines=("one",))
    assert names(resolve(resolver(project, environ), needs, target())) == ["one 1.0"]
    index.add(wheel("one", "2.0"))
    lasting()
    assert names(resolve(resolver(project, environ), needs, target("3.12"))) == ["one 1.0"]
    assert names(resolve(resolver(project, environ, upgrade=True), needs, target())) == ["one 2.0"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("ssh://git@git.example/demo", "ssh://git@git.example/demo"),
        ("https://me:hunter22@git.example/demo", "https://git.example/demo"),
    ],
)
def test_the_user_of_a_repository_is_kept_and_a_login_is_not(
    project: Path, environ: dict[str, str], written: str, kept: str
) -> None:
    inner = project / "repository"
    inner.mkdir()
    (inner / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\n')
    me = ("-c", "user.name=me", "-c", "user.email=me@mail.example")
    for argv in (("init", "--quiet"), ("add", "."), (*me, "commit", "--quiet", "--message", "one")):
        subprocess.run(["git", "-C", inner, *argv], env=environ | {"PATH": os.environ["PATH"]}, check=True)
    instead = {"COUNT": "1", "KEY_0": f"url.{inner.as_uri()}.insteadOf", "VALUE_0": written}
    with_git = environ | {f"GIT_CONFIG_{name}": value for name, value in instead.items()}
    with_git["PATH"] = os.environ["PATH"]
    (pin,) = resolve(resolver(project, with_git), Required(lines=(f"demo @ git+{written}",)), target()).pins
    assert (pin.kind, pin.url) == ("commit", kept)


SCRIPT = """\
# /// script
# requires-python = ">=3.10"
# dependencies = ["one"]
# ///
"""


def test_a_script_and_its_lock(project: Path, environ: dict[str, str], index: Index) -> None:
    (project / "job.py").write_text(SCRIPT)
    shop = resolver(project, environ)
    assert names(resolve(shop, Script(file="job.py"), target())) == ["one 1.0"]
    assert sorted(path.name for path in project.iterdir()) == ["job.py", "pyproject.toml"]
    run(find_binary(), ("lock", "--script", "job.py"), cwd=project, environ=environ)
    index.add(wheel("one", "2.0"))
    assert names(resolve(resolver(project, environ, upgrade=True), Script(file="job.py"), target())) == ["one 1.0"]
    (project / "job.py").write_text(SCRIPT.replace('"one"', '"one", "three"'))
    with pytest.raises(PolicyError) as caught:
        resolve(shop, Script(file="job.py"), target())
    assert str(caught.value) == (
        f"{project}/job.py.lock is older than what job.py asks for\n  hint: uv lock --script {project}/job.py"
    )


def test_a_folder_is_told_by_its_content(project: Path, environ: dict[str, str]) -> None:
    inner = project / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text('[project]\nname = "inner"\nversion = "1"\n')
    text = PYPROJECT.replace('"one"', '"inner"') + '[tool.uv.sources]\ninner = { path = "inner" }\n'
    (project / "pyproject.toml").write_text(text)
    shop = resolver(project, environ)
    shop.lock()

    def folder() -> Pin:
        (pin,) = resolve(shop, Locked(), target()).pins
        return pin

    first = folder()
    assert (first.kind, first.path) == ("folder", str(inner))
    assert folder() == first
    (inner / "inner.py").write_text("")
    assert folder().sha256 not in ("", first.sha256)


def asks_nobody(shop: Resolver) -> Resolver:
    """The resolver with a uv that cannot be run."""
    return replace(shop, binary=Path("/nowhere/uv"))


def test_a_lock_is_read_once(project: Path, environ: dict[str, str]) -> None:
    shop = resolver(project, environ)
    shop.lock()
    first = resolve(shop, Locked(), target())
    assert resolve(asks_nobody(shop), Locked(), target()) == first
    assert resolve(asks_nobody(shop), Locked(), target("3.12", "arm64")).pins == first.pins


@pytest.mark.parametrize("what", ["lock", "pyproject", "settings", "needs", "uv", "environment"])
def test_a_lock_is_read_again_when_anything_changes(project: Path, environ: dict[str, str], what: str) -> None:
    shop = resolver(project, environ)
    shop.lock()
    resolve(shop, Locked(), target())
    needs = Locked()
    if what in ("lock", "pyproject"):
        path = project / {"lock": "uv.lock", "pyproject": "pyproject.toml"}[what]
        path.write_text(path.read_text() + "# another byte\n")
    elif what == "settings":
        (project.parent / "uv.toml").write_text("[pip]\nstrict = true\n")
    elif what == "needs":
        needs = Locked(extras=("fast",))
    elif what == "uv":
        shop = replace(shop, uv_version="1")
    else:
        shop = replace(shop, environ={**environ, "UV_INDEX_STRATEGY": "unsafe-best-match"})
    with pytest.raises(FileNotFoundError):
        resolve(asks_nobody(shop), needs, target())
    assert names(resolve(shop, needs, target()))[0] == "one 1.0"


def test_a_member_of_the_workspace_is_part_of_the_lock(project: Path, environ: dict[str, str]) -> None:
    member = project / "members" / "part"
    member.mkdir(parents=True)
    (member / "pyproject.toml").write_text('[project]\nname = "part"\nversion = "1"\ndependencies = ["three"]\n')
    head = PYPROJECT.replace('dependencies = ["one"', 'dependencies = ["part", "one"', 1)
    tail = '[tool.uv.workspace]\nmembers = ["members/*"]\n[tool.uv.sources]\npart = { workspace = true }\n'
    (project / "pyproject.toml").write_text(head + tail)
    shop = resolver(project, environ)
    shop.lock()
    first = resolve(shop, Locked(), target())
    assert resolve(asks_nobody(shop), Locked(), target()) == first
    (member / "pyproject.toml").write_text('[project]\nname = "part"\nversion = "1"\ndependencies = ["four"]\n')
    with pytest.raises(PolicyError) as caught:
        resolve(shop, Locked(), target())
    assert caught.value.message == f"{project}: uv.lock is older than what pyproject.toml asks for"


@pytest.mark.parametrize("file", ["setup.py", "setup.cfg"])
def test_a_lock_that_is_older_than_a_setup_file(
    project: Path, environ: dict[str, str], index: Index, file: str
) -> None:
    """What it requires stands in no pyproject.toml."""
    backend = (
        "import os, re\n"
        "def _write(folder):\n"
        f"    text = open({file!r}).read()\n"
        "    os.mkdir(folder + '/legacy-1.dist-info')\n"
        "    with open(folder + '/legacy-1.dist-info/METADATA', 'w') as out:\n"
        "        out.write('Metadata-Version: 2.1\\nName: legacy\\nVersion: 1\\n')\n"
        "        out.writelines('Requires-Dist: ' + name + '\\n' for name in re.findall('needs: (.*)', text))\n"
        "    return 'legacy-1.dist-info'\n"
        "def prepare_metadata_for_build_wheel(folder, config_settings=None):\n"
        "    return _write(folder)\n"
        "def get_requires_for_build_wheel(config_settings=None):\n"
        "    return []\n"
    )
    legacy = project / "legacy"
    legacy.mkdir()
    (legacy / "backend.py").write_text(backend)
    (legacy / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (legacy / file).write_text("# needs: three\n")
    text = PYPROJECT.replace('"one"', '"legacy"') + '[tool.uv.sources]\nlegacy = { path = "legacy" }\n'
    (project / "pyproject.toml").write_text(text)
    shop = resolver(project, environ)
    shop.lock()
    assert names(resolve(shop, Locked(), target())) == ["legacy", "three 1.0"]
    (legacy / file).write_text("# needs: three\n# needs: four\n")
    with pytest.raises(PolicyError) as caught:
        resolve(shop, Locked(), target())
    assert caught.value.message == f"{project}: uv.lock is older than what pyproject.toml asks for"


def test_dependencies_that_a_build_backend_tells_are_asked_for_each_time(project: Path) -> None:
    (project / "uv.lock").write_text("version = 1\n")
    assert lock_inputs(project, None) is not None
    (project / "pyproject.toml").write_text(f'{PYPROJECT[:10]}dynamic = ["dependencies"]\n{PYPROJECT[10:]}')
    assert lock_inputs(project, None) is None
