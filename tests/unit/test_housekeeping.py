"""housekeeping: what is removed from a cache, and what stays."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lambdabuild.cache import Cache
from lambdabuild.housekeeping import Usage, clear, find_damaged, measure, prune, prune_if_free
from lambdabuild.locks import held
from lambdabuild.wheels.store import WheelStore
from tests.unprivileged import public_folder, run_unprivileged

WHEELS = {hashlib.sha256(data).hexdigest(): data for data in (b"o" * 1000, b"m" * 2000, b"n" * 4000)}
OLD, MIDDLE, NEW = WHEELS
READER = """
import sys
from pathlib import Path
from lambdabuild.cache import Cache
with Cache(Path(sys.argv[1])).in_use():
    print("reads", flush=True)
    sys.stdin.readline()
"""


WRITER = """
import sys
from pathlib import Path
from lambdabuild.cache import Cache
cache, number = Cache(Path(sys.argv[1])), 0
print("writes", flush=True)
while True:
    cache.store_text("seen", str(number), "text")
    number += 1
"""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Three wheels, of which OLD was not used for longest."""
    made = Cache(tmp_path / "cache")
    made.ensure()
    for age, key in enumerate((NEW, MIDDLE, OLD)):
        WheelStore(made).add(key, [WHEELS[key]])
        os.utime(path_of(made, key), (1_000_000 - age, 1_000_000 - age))
    return made


def path_of(cache: Cache, key: str) -> Path:
    return cache.version / "wheels" / key[:2] / key


def size_of(cache: Cache, *keys: str) -> int:
    return sum(path_of(cache, key).stat().st_size for key in keys)


def kept(cache: Cache) -> list[str]:
    return [key for key in (OLD, MIDDLE, NEW) if path_of(cache, key).exists()]


def damage(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)
    os.utime(path, (1_000_000, 1_000_000))


def nothing_waits() -> None:
    raise AssertionError("nobody holds the lock")


@contextmanager
def reader(cache: Cache) -> Iterator[subprocess.Popen[str]]:
    """A process that reads from the cache until its standard input ends."""
    argv = [sys.executable, "-c", READER, cache.root]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reads\n"
        yield process
        process.communicate("\n")


def test_size(cache: Cache) -> None:
    cache.store_text("resolutions", "key", "four")
    assert measure(cache) == Usage(wheels=3, size=size_of(cache, OLD, MIDDLE, NEW) + len(f"{OLD}\nfour"))
    assert measure(Cache(cache.root / "nowhere")) == Usage(wheels=0, size=0)


def test_what_was_not_used_for_longest_goes_first(cache: Cache) -> None:
    gone = size_of(cache, OLD)
    assert prune(cache, size_of(cache, MIDDLE, NEW), waiting=nothing_waits) == Usage(wheels=1, size=gone)
    assert kept(cache) == [MIDDLE, NEW]
    WheelStore(cache).find(MIDDLE)
    prune(cache, size_of(cache, MIDDLE), waiting=nothing_waits)
    assert kept(cache) == [MIDDLE]
    prune(cache, 0, waiting=nothing_waits)
    assert kept(cache) == []


def test_a_cache_within_its_bound_is_left_alone(cache: Cache) -> None:
    assert prune(cache, size_of(cache, OLD, MIDDLE, NEW), waiting=nothing_waits) == Usage(wheels=0, size=0)
    assert kept(cache) == [OLD, MIDDLE, NEW]


def test_what_nobody_reads_goes_whatever_the_bound(cache: Cache) -> None:
    damage(path_of(cache, OLD), b"damaged")
    assert WheelStore(cache).find_whole(OLD) is None
    (cache.root / "v1" / "segments").mkdir(parents=True)
    (cache.root / "v1" / "segments" / "x.segment").write_bytes(b"earlier")
    (cache.root / "CACHEDIR.TAG").stat()
    assert prune(cache, 10**9, waiting=nothing_waits) == Usage(wheels=0, size=len("damaged") + len("earlier"))
    assert kept(cache) == [MIDDLE, NEW]
    assert sorted(path.name for path in cache.root.iterdir()) == ["CACHEDIR.TAG", "locks", "v3"]


def test_a_build_that_reads_is_waited_for(cache: Cache) -> None:
    with reader(cache) as process:
        assert prune_if_free(cache, 0) == Usage(wheels=0, size=0)
        assert kept(cache) == [OLD, MIDDLE, NEW]

        def go_on() -> None:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

        assert prune(cache, 0, waiting=go_on).wheels == 3
    assert kept(cache) == []


def test_at_the_end_of_a_build(cache: Cache) -> None:
    assert prune_if_free(cache, size_of(cache, NEW)).wheels == 2
    assert kept(cache) == [NEW]


def test_builds_read_side_by_side(cache: Cache) -> None:
    with reader(cache), cache.in_use(waiting=nothing_waits):
        pass


def test_clear(cache: Cache) -> None:
    (cache.root / "v1").mkdir()
    assert clear(cache, waiting=nothing_waits).wheels == 3
    assert sorted(path.name for path in cache.root.iterdir()) == ["CACHEDIR.TAG", "locks"]


def test_what_is_not_the_caches_is_never_removed(tmp_path: Path) -> None:
    """A folder of the user's that LAMBDABUILD_CACHE_DIR names by mistake."""
    mine = tmp_path / "home"
    (mine / "videos").mkdir(parents=True)
    (mine / "videos" / "film").write_text("mine")
    cache = Cache(mine)
    cache.ensure()
    clear(cache, waiting=nothing_waits)
    assert (mine / "videos" / "film").read_text() == "mine"


def test_damaged_wheels_are_found_and_set_aside(cache: Cache) -> None:
    assert list(find_damaged(cache)) == []
    path = path_of(cache, MIDDLE)
    damage(path, path.read_bytes()[:-1] + b"\0")
    assert list(find_damaged(cache)) == [path]
    assert kept(cache) == [OLD, NEW]
    assert [round(path_of(cache, key).stat().st_mtime) for key in (OLD, NEW)] == [999_998, 1_000_000]


def test_damaged_texts_are_found_and_set_aside(cache: Cache) -> None:
    for kind in ("builds", "exports"):
        cache.store_text(kind, OLD, "a = 1\n")
        os.utime(cache.version / kind / OLD, (1_000_000, 1_000_000))
    assert list(find_damaged(cache)) == []
    path = cache.version / "exports" / OLD
    path.write_bytes(path.read_bytes().replace(b"1\n", b"2\n"))
    assert list(find_damaged(cache)) == [path]
    assert not path.exists()
    assert list(find_damaged(cache)) == []
    assert (cache.version / "builds" / OLD).stat().st_mtime == 1_000_000
    assert prune(cache, 10**9, waiting=nothing_waits).size == len(f"{OLD}\na = 2\n")


def test_a_text_that_was_used_stays_longer_than_one_that_was_not(cache: Cache) -> None:
    for key in (NEW, OLD):
        cache.store_text("exports", key, "a = 1\n")
        os.utime(cache.version / "exports" / key, (2_000_000, 2_000_000))
    assert cache.find_text("exports", OLD) == "a = 1\n"
    prune(cache, (cache.version / "exports" / OLD).stat().st_size, waiting=nothing_waits)
    assert [path.name for path in (cache.version / "exports").iterdir()] == [OLD]


def test_what_killed_builds_left_half_written_goes(cache: Cache) -> None:
    left = [cache.version / "indexes" / ".new-00", cache.version / "exports" / ".new-01"]
    for path in left:
        path.parent.mkdir()
        path.write_bytes(b"half")
        os.utime(path, (1_000_000, 1_000_000))
    writing = cache.version / "indexes" / ".new-02"
    writing.write_bytes(b"more to come")
    assert measure(cache).size == size_of(cache, OLD, MIDDLE, NEW) + 8
    assert list(find_damaged(cache)) == []
    assert prune(cache, 10**9, waiting=nothing_waits) == Usage(wheels=0, size=8)
    assert writing.exists()
    assert kept(cache) == [OLD, MIDDLE, NEW]


def test_what_came_in_part_is_no_wheel_and_goes_like_the_rest(cache: Cache) -> None:
    part = path_of(cache, OLD).with_name(f"{'00' * 32}.partial")
    part.write_bytes(b"half")
    os.utime(part, (999_000, 999_000))
    assert measure(cache) == Usage(wheels=3, size=7004)
    assert list(find_damaged(cache)) == []
    assert prune(cache, 7000, waiting=nothing_waits) == Usage(wheels=0, size=4)
    assert kept(cache) == [OLD, MIDDLE, NEW]


WAITER = """
import sys
from pathlib import Path
from lambdabuild.cache import Cache
from lambdabuild.wheels.store import WheelStore
cache = Cache(Path(sys.argv[1]), notice=print)
with cache.in_use(waiting=lambda: print("waits", flush=True)), cache.scratch():
    print(WheelStore(cache).add(sys.argv[2], [b"o" * 1000]).name)
"""


def test_clear_beside_a_build_that_has_ended_but_for_what_it_keeps(cache: Cache) -> None:
    """Which is kept after the artifacts are there, when the build uses nothing of the cache any more."""
    with subprocess.Popen([sys.executable, "-c", WRITER, cache.root], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writes\n"
        try:
            for _ in range(20):
                WheelStore(cache).add(OLD, [WHEELS[OLD]])
                assert clear(cache, waiting=nothing_waits).wheels >= 1
                assert WheelStore(cache).find(OLD) is None
        finally:
            writer.kill()


def test_a_build_that_waits_for_clear_goes_on_in_an_empty_cache(cache: Cache) -> None:
    with held(cache.usage_lock):
        argv = [sys.executable, "-c", WAITER, cache.root, OLD]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        for path in cache.root.glob("v*"):
            shutil.rmtree(path)
    assert process.communicate() == (f"{OLD}\n", None)
    assert kept(cache) == [OLD]


STUCK = """
cache = Cache(Path(sys.argv[1]))
for remove in (lambda: prune(cache, 0, waiting=print), lambda: clear(cache, waiting=print)):
    try:
        print(remove())
    except MachineError as error:
        print(error)
print(prune_if_free(cache, 0))
"""


def test_what_may_not_be_removed_is_no_success() -> None:
    imports = (
        "from pathlib import Path\nfrom lambdabuild.cache import Cache\nfrom lambdabuild.errors import MachineError\n"
        "from lambdabuild.housekeeping import clear, prune, prune_if_free\n"
    )
    with public_folder() as folder:
        cache = Cache(folder)
        with cache.in_use():
            cache.store_text("exports", NEW, "text")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        said = (
            f"{cache.version / 'exports' / NEW} in the cache cannot be written or removed: Permission denied\n"
            "  hint: mend its permissions, or set LAMBDABUILD_CACHE_DIR to another folder\n"
        )
        first, second, last = run_unprivileged(imports, STUCK, folder).split("  hint", 2)
        assert f"{first}  hint{second.partition(chr(10))[0]}\n" == said
        assert "in the cache cannot be written or removed: Permission denied\n" in second
        assert last.endswith("Usage(wheels=0, size=0)\n")
        assert (cache.version / "exports" / NEW).exists()
