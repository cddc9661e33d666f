"""selections: what was selected once is known, for the same text and target, and for nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lambdabuild.cache import Cache
from lambdabuild.errors import BuildError, UsageError
from lambdabuild.model.requirements import Pin
from lambdabuild.model.selection import NoUsableWheel
from lambdabuild.model.target import Target
from lambdabuild.selections import select
from tests.samples import RUNTIMES, target

SHA256 = "ab" * 32


def lock(
    filename: str = "greet-1.0-py3-none-any.whl", *, place: str = "https://files.example.com", more: str = ""
) -> str:
    """A lock of one distribution."""
    return (
        'lock-version = "1.0"\ncreated-by = "test"\n[[packages]]\nname = "greet"\nversion = "1.0"\n'
        f'wheels = [{{ url = "{place}/{filename}", hashes = {{ sha256 = "{SHA256}" }} }}]\n{more}'
    )


SDIST = f'sdist = {{ url = "https://files.example.com/greet-1.0.tar.gz", hashes = {{ sha256 = "{SHA256}" }} }}\n'
FOLDER = '[[packages]]\nname = "own"\ndirectory = { path = "own", subdirectory = "lib" }\n'
COMMIT = (
    '[[packages]]\nname = "git"\nvcs = { type = "git", url = "https://example.com/git", '
    'commit-id = "abababababababababababababababababababab" }\n'
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "cache")
    cache.ensure()
    return cache


def chosen(cache: Cache, text: str, of: Target | None = None) -> tuple[Pin, ...]:
    return select(text, of or target(), RUNTIMES, origin="pylock.toml", cache=cache)


def kept(cache: Cache) -> list[Path]:
    folder = cache.version / "selections"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_what_is_kept_is_what_was_selected(cache: Cache) -> None:
    text = lock(more=FOLDER + COMMIT)
    first = chosen(cache, text)
    assert [(pin.name, pin.kind) for pin in first] == [("git", "commit"), ("greet", "wheel"), ("own", "folder")]
    assert len(kept(cache)) == 1
    assert chosen(cache, text) == first
    assert [pin.size for pin in chosen(cache, text)] == [pin.size for pin in first]


def test_what_is_kept_is_what_is_taken(cache: Cache) -> None:
    text = lock()
    chosen(cache, text)
    (path,) = kept(cache)
    documents = json.loads(cache.find_text("selections", path.name) or "")
    documents[0]["version"] = "9"
    cache.store_text("selections", path.name, json.dumps(documents))
    assert [str(pin) for pin in chosen(cache, text)] == ["greet 9"]


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '[{"name": "greet"}]', '[{"name": "greet", "colour": 1}]'])
def test_what_was_damaged_is_selected_again(cache: Cache, text: str) -> None:
    first = chosen(cache, lock())
    (path,) = kept(cache)
    cache.store_text("selections", path.name, text)
    assert chosen(cache, lock()) == first


@pytest.mark.parametrize("of", [target("3.12"), target("3.13", "arm64")])
def test_another_target_is_another_selection(cache: Cache, of: Target) -> None:
    chosen(cache, lock(), target("3.13"))
    chosen(cache, lock(), of)
    assert len(kept(cache)) == 2


def test_another_text_is_another_selection(cache: Cache) -> None:
    first, other = chosen(cache, lock()), chosen(cache, lock("greet-1.0-py2.py3-none-any.whl"))
    assert first != other
    assert len(kept(cache)) == 2


def test_a_login_is_not_kept(cache: Cache) -> None:
    text = lock(place="https://me:secret@files.example.com")
    assert chosen(cache, text)[0].url.startswith("https://me:secret@")
    assert kept(cache) == []


def test_why_something_is_built_is_told_each_time(cache: Cache) -> None:
    text = lock("greet-1.0-cp313-cp313-win_amd64.whl", more=SDIST)
    for _ in range(2):
        (pin,) = chosen(cache, text)
        assert pin.kind == "sdist"
        assert str(pin.no_wheel) == "greet 1.0 has no wheel for python3.13 x86_64, only for others: 1 of them"
    assert kept(cache) == []


def refused(text: str, error: type[Exception]) -> Callable[[Cache], None]:
    def select_twice(cache: Cache) -> None:
        for _ in range(2):
            with pytest.raises(error):
                chosen(cache, text)

    return select_twice


@pytest.mark.parametrize(
    "ask",
    [
        refused("lock-version", UsageError),
        refused("lock-version = 1", BuildError),
        refused(lock("greet-1.0-cp313-cp313-win_amd64.whl"), NoUsableWheel),
    ],
    ids=["no TOML", "no lock", "no wheel"],
)
def test_what_is_refused_is_refused_again(cache: Cache, ask: Callable[[Cache], None]) -> None:
    ask(cache)
    assert kept(cache) == []
