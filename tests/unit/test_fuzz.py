"""Whatever comes in: a clear end, never a bug, and never a long wait. Two thousand inputs, in this process."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdabuild import cli
from lambdabuild.cache import Cache
from lambdabuild.errors import LambdaBuildError
from lambdabuild.model.config import FUNCTION_KEYS, LAYER_KEYS, PROJECT_KEYS
from lambdabuild.model.functionenv import parse_env_file, parse_environment
from lambdabuild.model.invocation import check_event

LONGEST = timedelta(seconds=30)
"""What takes five on a quiet machine may take longer on a busy one; a hang takes longer than both."""
PYPROJECT = '[project]\nname = "demo"\nversion = "1"\n[tool.lambdabuild.functions.api]\nhandler = "app.handler"\n'
BUILD = ("package", "--builder", "host", "--no-verify")
SIGNS = st.text("aB1_-.:/\\*!?[]{}()<>=@#$%&|;'\" \t\n\r\0~^é\u202e\ufeff\U0001f600\udc80", max_size=20)
WORDS = st.sampled_from(
    [
        "",
        ".",
        "..",
        "/",
        "app",
        "app.handler",
        "app::handler",
        "api",
        "layer",
        "src",
        "3.13",
        "auto",
        "*",
        "**",
        "a.zip",
        "-r",
    ]
)
TEXTS = WORDS | SIGNS
HANDLER_PARTS = ("app", "handler", ".", "::", "/", "..", "functions", "é", "-", "0")
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.dates() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def inputs(number: int) -> settings:
    return settings(
        max_examples=number,
        deadline=LONGEST,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder for as long as the tests last; nothing of this machine's settings counts."""
    folder = tmp_path_factory.mktemp("fuzz") / "project"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(event, context):\n    return event\n")
    (folder / "pyproject.toml").write_text(PYPROJECT)
    environ = {
        "HOME": str(folder.parent),
        "LAMBDABUILD_CACHE_DIR": str(folder.parent / "cache"),
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(folder.parent / "uv"),
        "DOCKER_HOST": "tcp://127.0.0.1:9",  # no engine answers there
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for name, value in environ.items():
            patched.setenv(name, value)
        patched.delenv("LAMBDABUILD_IMAGE", raising=False)
        yield folder


def run(*argv: str) -> tuple[int, str]:
    """The exit status of the command line, and what it says on stderr."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["lambdabuild", *argv])
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as told:
            return cli._run(), told.getvalue()


def ends(*argv: str, among: Sequence[int] = (0, 1, 2, 3, 4)) -> None:
    status, told = run(*argv)
    assert status in among, told
    assert "Traceback" not in told
    assert status == 0 or told.strip()


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(str(key))} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return str(value)


def tables(keys: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys) | TEXTS, VALUES, max_size=4)


CONFIGURATIONS = st.tuples(tables(PROJECT_KEYS), tables(FUNCTION_KEYS), tables(LAYER_KEYS), SIGNS, st.booleans())


@given(CONFIGURATIONS)
@inputs(600)
def test_configurations(project: Path, drawn: tuple[dict[str, Any], dict[str, Any], dict[str, Any], str, bool]) -> None:
    whole, function, layer, name, handled = drawn
    function = {"handler": "app.handler", **function} if handled else function
    lines = [
        '[project]\nname = "demo"\nversion = "1"',
        *("[tool.lambdabuild]", *(f"{toml(key)} = {toml(value)}" for key, value in whole.items())),
        *(f"[tool.lambdabuild.functions.{toml(name)}]", *(f"{toml(k)} = {toml(v)}" for k, v in function.items())),
        *("[tool.lambdabuild.layers.deps]", *(f"{toml(k)} = {toml(v)}" for k, v in layer.items())),
    ]
    try:
        (project / "pyproject.toml").write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
        ends("layer", "nope", among=(2,))
    finally:
        (project / "pyproject.toml").write_text(PYPROJECT)


@given(st.binary(max_size=40), st.integers(0, len(PYPROJECT)))
@inputs(150)
def test_damaged_configurations(project: Path, junk: bytes, at: int) -> None:
    try:
        (project / "pyproject.toml").write_bytes(PYPROJECT[:at].encode() + junk + PYPROJECT[at:].encode())
        ends("layer", "nope", among=(2,))
    finally:
        (project / "pyproject.toml").write_text(PYPROJECT)


@given(st.lists(st.sampled_from(HANDLER_PARTS), max_size=6) | TEXTS)
@inputs(250)
def test_handlers(project: Path, parts: list[str] | str) -> None:
    handler = "".join(parts)
    ends(*BUILD, f"--handler={handler}", "--output", str(project.parent / "out"))


LINES = st.sampled_from(
    [
        *(
            "six",
            "six==1.16.0",
            "six>=",
            "six[",
            "six \\",
            "six ; python_version < '3'",
            "# six",
            "\\",
            "\0",
            "${HOME}",
        ),
        *("-r r.txt", "-r other.txt", "-r https://127.0.0.1:9/r.txt", "-c /nowhere", "-e .", "-e", "--hash=sha256:0"),
        *("--no-binary :all:", "--index-url", "https://[", "file:///nowhere/a.whl", "./app.py", "git+ssh://x"),
        "git+https://--upload-pack=x@h/x",
    ]
)


@given(st.lists(LINES | SIGNS, max_size=5), st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "latin-1"]))
@inputs(60)
def test_requirements_files(project: Path, lines: list[str], encoding: str) -> None:
    """uv reads them in a process of its own, so these are few."""
    text = PYPROJECT + 'requirements = "r.txt"\n'
    try:
        (project / "r.txt").write_bytes("\n".join(lines).encode(encoding, errors="replace"))
        (project / "pyproject.toml").write_text(text)
        ends(*BUILD, "--output", str(project.parent / "out"))
    finally:
        (project / "pyproject.toml").write_text(PYPROJECT)


@given(
    st.text(max_size=60) | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps)
)
@inputs(300)
def test_events(text: str) -> None:
    try:
        json.loads(check_event(text, where="event.json"))
    except LambdaBuildError as error:
        assert error.exit_code == 2


@given(st.integers(0, 100_000), st.sampled_from(["[", '{"a":', "[[", "1", " ", '"']))
@inputs(50)
def test_deep_and_long_events(depth: int, piece: str) -> None:
    began = time.monotonic()
    try:
        check_event(piece * depth, where="event.json")
    except LambdaBuildError as error:
        assert error.exit_code == 2
    assert time.monotonic() - began < LONGEST.total_seconds()


@given(st.lists(st.text(max_size=30), max_size=4))
@inputs(200)
def test_environment_files(lines: list[str]) -> None:
    try:
        parse_environment(parse_env_file("\n".join(lines), path="env"))
    except LambdaBuildError as error:
        assert error.exit_code == 2


@pytest.fixture(scope="module")
def built(project: Path) -> dict[str, Any]:
    """The manifest of a build."""
    assert run(*BUILD)[0] == 0
    document: dict[str, Any] = json.loads((project / "dist" / "lambda" / "manifest.json").read_text())
    return document


@given(st.data())
@inputs(300)
def test_manifests(project: Path, built: dict[str, Any], data: st.DataObject) -> None:
    """One value of the manifest is another one."""
    document = json.loads(json.dumps(built))
    place: Any = document if data.draw(st.booleans()) else document["artifacts"][0]
    key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(
        VALUES.map(str) | st.none() | st.integers() | TEXTS | st.lists(TEXTS | st.none(), max_size=2)
    )
    try:
        (project / "dist" / "lambda" / "manifest.json").write_text(json.dumps(document))
        command = data.draw(
            st.sampled_from([("validate",), ("validate", "--json"), ("invoke", "api"), ("verify", "api")])
        )
        ends(*command)
    finally:
        (project / "dist" / "lambda" / "manifest.json").write_text(json.dumps(built))


def damaged(data: bytes, draw: Any) -> bytes:
    at = draw(st.integers(0, max(0, len(data) - 1)))
    return draw(
        st.sampled_from([data[:at], data[:at] + b"\0" + data[at + 1 :], data + b"x", b"", data[at:], b"{}", b"null"])
    )


@given(st.data())
@inputs(100)
def test_damaged_caches(project: Path, built: dict[str, Any], data: st.DataObject) -> None:
    """A build that finds damage in the cache makes what it would have made."""
    cache = project.parent / "cache"
    whole = {path: path.read_bytes() for path in sorted(cache.rglob("*")) if path.is_file() and path.stat().st_size}
    path = data.draw(st.sampled_from(sorted(whole)))
    path.write_bytes(damaged(whole[path], data.draw))
    try:
        ends(*BUILD, among=(0,))
        assert json.loads((project / "dist" / "lambda" / "manifest.json").read_text()) == built
    finally:
        shutil.rmtree(cache)
        for file, content in whole.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


@given(st.data())
@inputs(200)
def test_damaged_entries(data: st.DataObject) -> None:
    """What was damaged is not there."""
    with TemporaryDirectory() as folder:
        cache, key = Cache(Path(folder)), "ab" * 32
        cache.ensure()
        cache.store_bytes("indexes", key, b"A = 1\n")
        path = cache.path("indexes", key)
        before = path.read_bytes()
        path.write_bytes(damaged(before, data.draw))
        found, after = cache.find_bytes("indexes", key), path.read_bytes() if path.exists() else b""
        assert (found is None) == (after != before)
