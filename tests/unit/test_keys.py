"""Keys of the cache: what belongs into one changes it, and nothing else does; a new field has to be decided on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdabuild.builders.base import WheelBuild
from lambdabuild.buildstate import question_key
from lambdabuild.cache import Cache
from lambdabuild.cli.options import BuildOptions
from lambdabuild.model.events import ignore
from lambdabuild.model.patch import patch_key
from lambdabuild.model.requirements import Pin
from lambdabuild.model.segment import Member
from lambdabuild.model.target import Libstdcxx, Runtime, Target
from lambdabuild.model.wheels import NoWheel
from lambdabuild.patches import Piece, ensure_patches
from lambdabuild.provision import Provision
from tests.contract.fake_builder import FakeBuilder
from tests.provisioning import IMAGE, NEWER, make_provision
from tests.samples import member, pin, runtime, target

Changes = Mapping[str, Any]

# Wheels that are built from source

PIN, TARGET = pin(kind="sdist", subdirectory="python"), target()
TOOLS: dict[str, Any] = {"image": IMAGE, "recipe": lambda: "00" * 32, "network": frozenset(), "repair": False}
_WHY = NoWheel(name="demo", version="1.0", target=TARGET, wheels=(), needed_glibc=None, usable_by=())
_OTHER = Libstdcxx(glibcxx=(3, 4, 99), cxxabi=(1, 3, 99))

OF_PIN = {
    "name": "other",
    "version": "1.1",
    "kind": "folder",
    "sha256": "00" * 32,
    "commit": "00" * 20,
    "subdirectory": None,
}
NOT_OF_PIN = {
    "url": "https://me:secret@elsewhere.example/demo.whl",
    "path": "/home/me/wheels/demo.whl",
    "no_wheel": _WHY,
    "file": "demo.whl",
    "size": 5_000_000,
}
OF_RUNTIME = {"python": "3.12", "wheel_glibc": (2, 28)}
NOT_OF_RUNTIME = {
    "os": "another",
    "glibc": (2, 99),
    "libstdcxx": _OTHER,
    "newest_libstdcxx": _OTHER,
    "libraries": frozenset({"libother.so.1"}),
    "deprecation": date(2099, 1, 1),
    "blocks_create": date(2099, 2, 1),
    "blocks_update": date(2099, 3, 1),
    "preview": True,
}
OF_TARGET = {"architecture": "arm64"}
OF_TOOLS: dict[str, Any] = {
    "image": NEWER,
    "recipe": lambda: "11" * 32,
    "network": frozenset({"demo"}),
    "repair": True,
}
NOT_OF_TOOLS: dict[str, Any] = {
    "image": replace(IMAGE, reference="another"),
    "network": frozenset({"other"}),
}


class Asked(Cache):
    """An empty cache that tells what it is asked for."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.keys: list[str] = []

    def find_text(self, kind: str, key: str, *, used: bool = True) -> None:
        if kind == "built":  # and not the image that was used last
            self.keys.append(key)


def key(of: Pin = PIN, goal: Target = TARGET, **tools: Any) -> str:
    """Under which a wheel is looked for."""
    cache, tools = Asked(), {**TOOLS, **tools}
    image = tools.pop("image")
    assert make_provision(cache, FakeBuilder(), **tools).recorded(of, goal, image) is None
    (asked,) = cache.keys
    return asked


def with_runtime(**changes: Any) -> Target:
    return replace(TARGET, runtime=replace(runtime("3.13"), **changes))


def names(kind: type[Any]) -> set[str]:
    return {field.name for field in fields(kind)}


def test_every_input_of_a_build_is_decided_on() -> None:
    assert OF_PIN.keys() | NOT_OF_PIN.keys() == names(Pin)
    assert OF_RUNTIME.keys() | NOT_OF_RUNTIME.keys() == names(Runtime)
    assert OF_TARGET.keys() | {"runtime"} == names(Target)
    not_of_builds = {"builder", "cache", "fetcher", "resolve", "listen", "image_place", "fetching"}
    assert {*OF_TOOLS, *not_of_builds} == names(Provision) | {"image"}
    assert names(WheelBuild) == {"pin", "target", "sdist", "network", "repair"}


def test_what_belongs_into_the_key_of_a_build() -> None:
    keys = [
        key(),
        *(key(replace(PIN, **{name: value})) for name, value in OF_PIN.items()),
        *(key(goal=with_runtime(**{name: value})) for name, value in OF_RUNTIME.items()),
        *(key(goal=replace(TARGET, **{name: value})) for name, value in OF_TARGET.items()),
        *(key(**{name: value}) for name, value in OF_TOOLS.items()),
        key(replace(PIN, kind="commit")),
        key(replace(PIN, kind="commit", commit="11" * 20)),
        key(replace(PIN, version=None)),
        key(replace(PIN, kind="folder"), image=None),
        # What a repair puts beside extensions depends on what the runtime has.
        *(key(goal=with_runtime(**{name: NOT_OF_RUNTIME[name]}), repair=True) for name in ("glibc", "libraries")),
    ]
    assert len(set(keys)) == len(keys)


def test_what_does_not_belong_into_the_key_of_a_build() -> None:
    others = [
        *(key(replace(PIN, **{name: value})) for name, value in NOT_OF_PIN.items()),
        key(replace(PIN, **NOT_OF_PIN)),
        *(key(goal=with_runtime(**{name: value})) for name, value in NOT_OF_RUNTIME.items()),
        key(goal=with_runtime(**NOT_OF_RUNTIME)),
        *(key(**{name: value}) for name, value in NOT_OF_TOOLS.items()),
    ]
    assert set(others) == {key()}


_WORD = st.text("abc012.-_", min_size=1, max_size=3)
_PINS = st.builds(
    Pin,
    name=_WORD,
    version=st.none() | _WORD,
    kind=st.sampled_from(["sdist", "folder", "commit"]),
    url=_WORD,
    path=st.none() | _WORD,
    sha256=st.text("01", min_size=2, max_size=2),
    subdirectory=st.none() | st.text("abc/", min_size=1, max_size=3),
)


def identity(of: Pin) -> tuple[object, ...]:
    return tuple(getattr(of, name) for name in OF_PIN)


@given(one=_PINS, other=_PINS)
def test_no_two_distributions_have_one_key(one: Pin, other: Pin) -> None:
    assert (key(one) == key(other)) == (identity(one) == identity(other))


# Patches

FILES = (member("opt/a.py", "A = 1"), member("opt/b.py", "B = 2"))
BESIDE = (member("opt/c.libs/c.so", "C"),)
PATCH = {"runtime": "python3.13", "transformer": "strip 2.41 in sha256:00", "compressor": "libdeflate 6"}
OF_MEMBER = {"path": "opt/other.py", "mode": 0o755, "sha256": "00" * 32}
NOT_OF_MEMBER = {"size": 7, "crc32": 7, "method": 0, "compressed_size": 7, "data": b"packed otherwise"}
"""What follows from the content, and how it is packed."""


def of_patch(
    kind: str = "strip", files: tuple[Member, ...] = FILES, beside: tuple[Member, ...] = BESIDE, **tools: str
) -> str:
    return patch_key(kind, files, beside, **{**PATCH, **tools})


def test_every_input_of_a_patch_is_decided_on() -> None:
    assert OF_MEMBER.keys() | NOT_OF_MEMBER.keys() == names(Member)
    assert {"kind", "files", "beside", *PATCH} == set(inspect.signature(patch_key).parameters)
    assert names(Piece) == {"owner", "files", "beside"}


def test_what_belongs_into_the_key_of_a_patch() -> None:
    first, second = FILES
    (third,) = BESIDE
    keys = [
        of_patch(),
        of_patch("compile"),
        *(of_patch(**{name: f"other {name}"}) for name in PATCH),
        *(of_patch(files=(replace(first, **{name: value}), second)) for name, value in OF_MEMBER.items()),
        *(of_patch(beside=(replace(third, **{name: OF_MEMBER[name]}),)) for name in ("path", "sha256")),
        of_patch(files=(first,)),
        of_patch(beside=()),
        of_patch(files=(first,), beside=(second, third)),
        of_patch(files=(*FILES, third), beside=()),
    ]
    assert len(set(keys)) == len(keys)


def test_what_does_not_belong_into_the_key_of_a_patch() -> None:
    first, second = FILES
    others = [of_patch(files=(replace(first, **{name: value}), second)) for name, value in NOT_OF_MEMBER.items()]
    assert set(others) == {of_patch()}


_MEMBERS = st.lists(
    st.builds(
        member,
        st.text("ab/. ", min_size=1, max_size=3),
        st.text("ab", max_size=1),
        st.sampled_from([0o644, 0o755]),
    ),
    max_size=3,
).map(tuple)


def contents(members: tuple[Member, ...], *, modes: bool) -> list[tuple[object, ...]]:
    return [(one.path, one.sha256, one.mode if modes else None) for one in members]


@given(one=_MEMBERS, other=_MEMBERS, beside=_MEMBERS, others_beside=_MEMBERS)
def test_no_two_sets_of_files_have_one_key(
    one: tuple[Member, ...],
    other: tuple[Member, ...],
    beside: tuple[Member, ...],
    others_beside: tuple[Member, ...],
) -> None:
    same = contents(one, modes=True) == contents(other, modes=True)
    same = same and contents(beside, modes=False) == contents(others_beside, modes=False)
    assert (of_patch(files=one, beside=beside) == of_patch(files=other, beside=others_beside)) == same


class Later(FakeBuilder):
    """With a newer program."""

    def transformer(self, *args: Any, **kwargs: Any) -> str:
        return "fake, later"


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """How many transformations the patch of a piece took, and whose it is."""
    cache = Cache(tmp_path / "cache")
    cache.ensure()

    def run(piece: Piece, *, goal: Target = TARGET, builder: type[FakeBuilder] = FakeBuilder) -> tuple[int, str]:
        machine = builder()
        (patch,) = ensure_patches(
            "compile", [piece], goal, path_of=lambda path: path + "c", builder=machine, cache=cache, listen=ignore
        )
        return len(machine.transformed), patch.owner

    return run


def test_patches_are_made_again_when_what_they_depend_on_changes(compiled: Callable[..., tuple[int, str]]) -> None:
    piece = Piece(owner="one 1.0", files=FILES)
    assert compiled(piece) == (1, "one 1.0")
    assert compiled(piece) == (0, "one 1.0")
    assert compiled(piece, goal=target("3.12")) == (1, "one 1.0")
    assert compiled(piece, builder=Later) == (1, "one 1.0")
    assert compiled(replace(piece, files=FILES[:1])) == (1, "one 1.0")
    assert compiled(piece, goal=target("3.13", "arm64")) == (0, "one 1.0")


def test_a_patch_belongs_to_whoever_asks_for_it(compiled: Callable[..., tuple[int, str]]) -> None:
    """Two versions of a distribution may have the same files."""
    assert compiled(Piece(owner="one 1.0", files=FILES)) == (1, "one 1.0")
    assert compiled(Piece(owner="one 1.1", files=FILES)) == (0, "one 1.1")


# Questions

OPTIONS = {
    "project": Path("/elsewhere"),
    "project_default": Path("/here/too"),
    "output": Path("out"),
    "python": "3.12",
    "architecture": "arm64",
    "builder": "docker",
    "lock": True,
    "upgrade": True,
    "clean": True,
    "skip_validation": True,
    "verify": True,
    "upload": "s3",
    "upload_default": "direct",
    "timings": True,
    "as_json": True,
}
PLAIN = {name: None if name == "verify" or not isinstance(value, bool) else False for name, value in OPTIONS.items()}
RELEVANT = (
    *(
        "LAMBDABUILD_IMAGE",
        "LAMBDABUILD_CACHE_MAX_SIZE",
        "UV_INDEX_STRATEGY",
        "UV_CONSTRAINT",
        "UV_INDEX_MINE_PASSWORD",
    ),
    *("PIP_INDEX_URL", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "GIT_SSH_COMMAND", "SSL_CERT_FILE"),
    *("XDG_CONFIG_HOME", "HTTPS_PROXY", "https_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HOME", "NETRC", "PATH", "SOURCE_DATE_EPOCH", "VIRTUAL_ENV"),
    *("SETUPTOOLS_SCM_PRETEND_VERSION", "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_DEMO", "PDM_BUILD_SCM_VERSION"),
    *("PBR_VERSION", "POETRY_DYNAMIC_VERSIONING_BYPASS"),
)
IRRELEVANT = ("USER", "TZ", "LANG", "COLUMNS", "TERM", "PWD", "OLDPWD", "SHLVL", "SSH_AUTH_SOCK", "EDITOR", "HOMEPAGE")


def question(options: Changes | None = None, environ: Mapping[str, str] | None = None, **more: object) -> str:
    asked = {"command": "package", "cwd": "/here", "names": (), **PLAIN, **(options or {}), **more}
    return question_key(asked, {"PATH": "/bin", **(environ or {})})


def test_every_option_is_part_of_a_question() -> None:
    assert OPTIONS.keys() == names(BuildOptions)
    keys = [question(), *(question({name: value}) for name, value in OPTIONS.items()), question({"verify": False})]
    keys += [question(command="layer"), question(cwd="/there"), question(names=("api",)), question(mode="fat")]
    assert len(set(keys)) == len(keys)


def test_what_of_the_environment_is_part_of_a_question() -> None:
    keys = [question(), *(question(environ={name: value}) for name in RELEVANT for value in ("one", "two"))]
    assert len(set(keys)) == len(keys)
    environ = dict.fromkeys(IRRELEVANT, "x")
    assert question(environ=environ) == question()
    assert question(environ={"UV_OFFLINE": "1", "HOME": "/me"}) == question(environ={"HOME": "/me", "UV_OFFLINE": "1"})


@pytest.mark.parametrize("name", ["__version__", "_FORMAT"])
def test_another_lambdabuild_asks_another_question(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = question()
    monkeypatch.setattr(f"lambdabuild.buildstate.{name}", "99")
    assert question() != before


def test_another_python_asks_another_question(monkeypatch: pytest.MonkeyPatch) -> None:
    before = question()
    monkeypatch.setattr("sys.version", "3.99.0 (main)")
    assert question() != before


_ENVIRONMENTS = st.dictionaries(st.sampled_from(RELEVANT), st.text("ab=,", max_size=2), max_size=3)


@given(one=_ENVIRONMENTS, other=_ENVIRONMENTS)
def test_no_two_environments_ask_one_question(one: dict[str, str], other: dict[str, str]) -> None:
    ask = partial(question_key, {"command": "layer"})
    assert (ask(one) == ask(other)) == (one == other)
