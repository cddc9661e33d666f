"""cache: whatever lies on the disk, a segment is whole or it is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lambdabuild.cache import Cache, default_root
from lambdabuild.model.segment import Segment, Slice
from tests.removals import wait_for_removals
from tests.samples import content, member, segment
from tests.unprivileged import public_folder, run_unprivileged

KEY = "ab" * 32
TEXT = "text that deflates well, " * 20
DEMO = segment(
    "demo",
    "1.0",
    member("demo/a.py", TEXT),
    member("demo/é.bin", b"\0\xff", 0o755),
    member("empty"),
    requires=("one>=1", "zwei; extra == 'é'"),
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "cache")
    made.ensure()
    return made


def entry(cache: Cache) -> Path:
    return cache.root / "v2" / "segments" / "ab" / f"{KEY}.segment"


def files(cache: Cache) -> list[str]:
    return sorted(path.name for path in (cache.root / "v2" / "segments").rglob("*") if path.is_file())


def described(found: Segment | None) -> list[tuple[object, ...]]:
    assert found is not None
    return [(one.path, one.mode, one.size, one.crc32, one.sha256, one.method, content(one)) for one in found.members]


def test_what_is_stored_is_found(cache: Cache) -> None:
    stored = cache.store(KEY, DEMO)
    assert stored == cache.find(KEY)
    assert (stored.name, stored.version, stored.requires) == ("demo", "1.0", DEMO.requires)
    assert described(stored) == described(DEMO)
    assert all(isinstance(one.data, Slice) and one.data.file == entry(cache) for one in stored.members)
    assert files(cache) == [f"{KEY}.segment"]


def test_what_is_not_stored_is_not_found(cache: Cache) -> None:
    cache.store(KEY, DEMO)
    assert cache.find("ac" * 32) is None
    assert cache.find("00" * 32) is None
    assert Cache(cache.root.with_name("never-made")).find(KEY) is None


def test_equal_segments_are_equal_files(cache: Cache) -> None:
    cache.store(KEY, DEMO)
    first = entry(cache).read_bytes()
    cache.store(KEY, cache.store("ac" * 32, DEMO))
    assert entry(cache).read_bytes() == first


def regions(data: bytes) -> dict[str, range]:
    """Where the parts of an entry lie."""
    header = 22 + 32 + 32 + 8
    length = int.from_bytes(data[header - 8 : header], "little")
    assert data[header : header + 1] == b"{"
    return {
        "magic": range(22),
        "digest of the header": range(22, 54),
        "digest of the data": range(54, 86),
        "length": range(86, header),
        "header": range(header, header + length),
        "data": range(header + length, len(data)),
    }


@pytest.mark.parametrize("region", ["magic", "digest of the header", "digest of the data", "length", "header", "data"])
def test_a_changed_byte_anywhere_is_a_miss(cache: Cache, region: str) -> None:
    cache.store(KEY, DEMO)
    whole = entry(cache).read_bytes()
    assert cache.find(KEY) is not None
    places = regions(whole)[region]
    assert len(places) > 5
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1
        entry(cache).write_bytes(changed)
        assert cache.find(KEY) is None, place
        assert files(cache) == [f"{KEY}.damaged"]
        assert entry(cache).with_suffix(".damaged").read_bytes() == changed
    assert described(cache.store(KEY, DEMO)) == described(DEMO)


@pytest.mark.parametrize("region", ["magic", "digest of the header", "length", "header"])
def test_what_is_told_of_members_is_checked_without_reading_them(cache: Cache, region: str) -> None:
    stored = cache.store(KEY, DEMO)
    assert cache.find(KEY, whole=False) == stored
    whole = entry(cache).read_bytes()
    changed = bytearray(whole)
    changed[regions(whole)["data"][0]] ^= 1
    entry(cache).write_bytes(changed)
    assert cache.find(KEY, whole=False) == stored
    for place in regions(whole)[region]:
        changed = bytearray(whole)
        changed[place] ^= 1
        entry(cache).write_bytes(changed)
        assert cache.find(KEY, whole=False) is None, place
    entry(cache).write_bytes(whole[:-1])
    assert cache.find(KEY, whole=False) is None


def test_an_entry_under_the_key_of_another_is_a_miss(cache: Cache) -> None:
    cache.store(KEY, DEMO)
    other = "ab" + "00" * 31
    entry(cache).rename(entry(cache).with_name(f"{other}.segment"))
    assert cache.find(other) is None
    assert files(cache) == [f"{other}.damaged"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:10],
        lambda whole: whole[:22],
        lambda whole: whole[:54],
        lambda whole: whole[:90],
        lambda whole: whole[:100],
        lambda whole: whole[:-1],
        lambda whole: whole + b"\0",
        lambda whole: whole * 2,
        lambda whole: bytes(len(whole)),
        lambda whole: whole.replace(b"segment 2\n", b"segment 1\n", 1),
    ],
)
def test_a_truncated_or_lengthened_entry_is_a_miss(cache: Cache, damage: Callable[[bytes], bytes]) -> None:
    cache.store(KEY, DEMO)
    entry(cache).write_bytes(damage(entry(cache).read_bytes()))
    assert cache.find(KEY) is None
    assert files(cache) == [f"{KEY}.damaged"]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"{}",
        b'{"key":"' + KEY.encode() + b'"}',
        b'{"name":1',
        b'{"name":"a","version":"1","members":[[1,2]]}',
        b"\xff",
    ],
)
def test_a_header_of_another_writer_is_a_miss(cache: Cache, header: bytes) -> None:
    cache.store(KEY, DEMO)
    rest = len(header).to_bytes(8, "little") + header
    for body in (b"", rest[:5], rest):
        entry(cache).write_bytes(b"lambdabuild segment 2\n" + sha256(header).digest() + sha256(b"").digest() + body)
        assert cache.find(KEY) is None
        assert files(cache) == [f"{KEY}.damaged"]


def test_a_folder_or_a_dangling_link_in_place_of_an_entry(cache: Cache) -> None:
    cache.store(KEY, DEMO)
    entry(cache).unlink()
    entry(cache).symlink_to("nowhere")
    assert cache.find(KEY) is None
    cache.store(KEY, DEMO)
    assert not entry(cache).is_symlink()
    entry(cache).unlink()
    entry(cache).mkdir()
    assert cache.find(KEY) is None
    assert described(cache.store(KEY, DEMO)) == described(DEMO)


class _Interrupted:
    @property
    def file(self) -> Path:
        raise KeyboardInterrupt


def test_nothing_is_left_of_an_interrupted_store(cache: Cache) -> None:
    first, second, third = DEMO.members
    with pytest.raises(KeyboardInterrupt):
        cache.store(KEY, segment("demo", "1.0", first, replace(second, data=_Interrupted()), third))  # type: ignore[arg-type]
    assert files(cache) == []
    cache.store(KEY, DEMO)
    with pytest.raises(FileNotFoundError):
        cache.store(KEY, segment("demo", "1.0", replace(first, data=Slice(cache.root / "gone", 0))))
    assert files(cache) == [f"{KEY}.segment"]
    assert described(cache.find(KEY)) == described(DEMO)


FULL = """
import resource, sys
from pathlib import Path
from lambdabuild.cache import Cache
from lambdabuild.errors import MachineError
from lambdabuild.model.segment import Segment
from lambdabuild.zipformat import pack
NOISE = bytes(range(256))
cache = Cache(Path(sys.argv[1]))
cache.ensure()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    cache.store("ab" * 32, Segment(name="demo", version="1.0", requires=(), members=(pack("a", 0o644, NOISE * 1000),)))
except MachineError as error:
    print(error.message)
"""


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"neither the cache folder {tmp_path} (File too large) nor a temporary one (File too large) can be written\n"
    )
    assert files(Cache(tmp_path)) == []


CROWD = """
import sys
from pathlib import Path
from lambdabuild.cache import Cache
from lambdabuild.model.segment import Segment
from lambdabuild.zipformat import pack
NOISE = bytes(range(256))
cache = Cache(Path(sys.argv[1]))
sys.stdin.readline()
cache.ensure()
demo = Segment(name="demo", version="1.0", requires=(), members=(pack("a", 0o644, NOISE * 100),))
for _ in range(50):
    assert cache.store("ab" * 32, demo).members[0].sha256 == demo.members[0].sha256
    assert cache.find("ab" * 32) is not None
"""


def test_many_processes_store_one_key_at_once(tmp_path: Path) -> None:
    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", CROWD, tmp_path], stdin=subprocess.PIPE)

    crowd = [start() for _ in range(4)]
    for process in crowd:
        process.communicate(b"go\n")
    assert [process.returncode for process in crowd] == [0] * 4
    assert files(Cache(tmp_path)) == [f"{KEY}.segment"]


def test_the_folder_says_that_it_is_a_cache(cache: Cache) -> None:
    tag = cache.root / "CACHEDIR.TAG"
    assert tag.read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    tag.write_text("mine")
    cache.ensure()
    assert tag.read_text() == "mine"


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def test_entries_can_be_shared_as_the_umask_says(cache: Cache, umask: Callable[[int], int]) -> None:
    umask(0o002)
    cache.store(KEY, DEMO)
    assert entry(cache).stat().st_mode & 0o777 == 0o664
    umask(0o077)
    cache.store(KEY, DEMO)
    assert entry(cache).stat().st_mode & 0o777 == 0o600


def test_a_cache_that_cannot_be_written_is_replaced_for_this_run(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for root in (file, file / "below"):
        said: list[str] = []
        cache = Cache(root, notice=said.append)
        with cache.in_use(), cache.building([KEY], waiting=never), cache.scratch() as scratch:
            assert scratch.is_dir()
            assert cache.store(KEY, DEMO) == cache.find(KEY)
            cache.ensure()
        assert not cache.writable
        assert said == [
            f"the cache folder {root} cannot be written (Not a directory): this build goes on without it, and keeps "
            "nothing for the next (LAMBDABUILD_CACHE_DIR sets another folder)"
        ]


def never() -> None:
    raise AssertionError("nobody has what is wanted")


IMPORTS = """
import atexit, tempfile
from pathlib import Path
import lambdabuild.segmentfile
from lambdabuild.cache import Cache
"""
READ_ONLY = """
tempfile.tempdir = sys.argv[2]
cache = Cache(Path(sys.argv[1]), notice=print)
print(cache.find("ab" * 32))
demo = cache.find("cd" * 32)
with cache.in_use():
    for key in ("ef" * 32, "00" * 32):
        stored = cache.store(key, demo)
        print(stored.name, cache.find(key) == stored, stored.members[0].data.file.is_relative_to(sys.argv[2]))
    print(cache.find("cd" * 32) == demo, len(list(Path(sys.argv[2]).iterdir())))
"""


@pytest.mark.parametrize("mode", [0o555, 0o444])
def test_a_cache_that_may_only_be_read_is_read(mode: int) -> None:
    with public_folder() as folder, public_folder() as temporary:
        temporary.chmod(0o777)
        cache = Cache(folder / "cache")
        cache.ensure()
        cache.store(KEY, DEMO)
        cache.store("cd" * 32, DEMO)
        entry(cache).write_bytes(b"damaged")
        (cache.root / "CACHEDIR.TAG").unlink()
        for path in (cache.root, *cache.root.rglob("*")):
            path.chmod(0o555 if path.is_dir() else mode)
        assert run_unprivileged(IMPORTS, READ_ONLY, cache.root, temporary) == (
            "None\n"
            f"the cache folder {cache.root} cannot be written (Permission denied): this build goes on without it, and "
            "keeps nothing for the next (LAMBDABUILD_CACHE_DIR sets another folder)\n"
            "demo True True\ndemo True True\nTrue 2\n"
        )
        assert list(temporary.iterdir()) == []


SUDO = """
tempfile.tempdir = sys.argv[2]
cache = Cache(Path(sys.argv[1]), notice=print)
with cache.in_use():
    demo = cache.find("ab" * 32)
    print(cache.writable)
    print(cache.store("ab" + "c" * 62, demo) == cache.find("ab" + "c" * 62))
    print(cache.writable)
"""


def test_a_folder_of_the_cache_that_is_somebody_elses() -> None:
    with public_folder() as folder, public_folder() as temporary:
        temporary.chmod(0o777)
        cache = Cache(folder / "cache")
        cache.ensure()
        cache.store(KEY, DEMO)
        for path in (cache.root, *cache.root.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        entry(cache).parent.chmod(0o755)
        said = run_unprivileged(IMPORTS, SUDO, cache.root, temporary).splitlines()
        assert said[:1] + said[2:] == ["True", "True", "False"]
        assert said[1].startswith(f"the cache folder {cache.root} cannot be written (Permission denied): ")


CLAIM = """
import sys
from pathlib import Path
from lambdabuild.cache import Cache
with Cache(Path(sys.argv[1])).building(sys.argv[2:], waiting=lambda: print("waits", flush=True)):
    print("builds", flush=True)
    sys.stdin.readline()
"""


def claimer(cache: Cache, *keys: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", CLAIM, cache.root, *keys], stdin=pipe, stdout=pipe, text=True)


def said_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_builds_wait_for_each_other_where_they_want_the_same_and_only_there(cache: Cache) -> None:
    every = [f"{number:064x}" for number in range(600)]
    with claimer(cache, *every[:300], KEY) as one:
        assert said_by(one) == "builds"
        with claimer(cache, *every[300:]) as other, cache.building(["ab" + "c" * 62], waiting=never):
            assert said_by(other) == "builds"
            other.communicate("\n")
        with claimer(cache, "00" * 32, KEY, "ff" * 32) as waiter:
            assert said_by(waiter) == "waits"
            with cache.building(["ff" * 32], waiting=never):  # who waits has claimed nothing
                pass
            one.communicate("\n")
            assert said_by(waiter) == "builds"
            waiter.communicate("\n")
    assert sorted(path.name for path in cache.locks.iterdir()) == ["claiming.lock"]


def test_what_a_killed_build_claimed_is_free(cache: Cache) -> None:
    with claimer(cache, KEY) as process:
        assert said_by(process) == "builds"
        with claimer(cache, KEY) as waiter:
            assert said_by(waiter) == "waits"
            process.kill()
            assert said_by(waiter) == "builds"
            waiter.communicate("\n")
    with claimer(cache, KEY) as process:
        assert said_by(process) == "builds"
        process.kill()
    with cache.building([KEY], waiting=never):
        assert len(list(cache.locks.glob("*.claim"))) == 1


def test_scratch_folders_are_removed(cache: Cache) -> None:
    before = sorted(cache.root.rglob("*"))
    with cache.scratch() as one, cache.scratch() as other:
        assert one != other
        assert one.is_relative_to(cache.root)
        (one / "folder").mkdir()
        (one / "folder" / "file").write_text("")
    wait_for_removals()
    assert sorted(cache.root.rglob("*")) == before
    with pytest.raises(ZeroDivisionError), cache.scratch() as folder:
        (folder / "file").write_text("")
        raise ZeroDivisionError
    wait_for_removals()
    assert sorted(cache.root.rglob("*")) == before


def test_scratch_folders_of_killed_builds_are_removed_by_the_next(cache: Cache) -> None:
    killed = "import os, sys; from pathlib import Path; from lambdabuild.cache import Cache\n"
    killed += "with Cache(Path(sys.argv[1])).scratch() as folder: (folder / 'file').touch(); os._exit(9)"
    before = sorted(cache.root.rglob("*"))
    assert subprocess.run([sys.executable, "-c", killed, cache.root], check=False).returncode == 9
    assert sorted(cache.root.rglob("*")) != before
    with cache.scratch() as folder:
        left = sorted(path for path in cache.root.rglob("*") if path not in before)
        assert left == [folder, folder.with_suffix(".lock")]
    wait_for_removals()
    assert sorted(cache.root.rglob("*")) == before


def resolutions(cache: Cache) -> Path:
    return cache.root / "v2" / "resolutions"


def test_resolutions_are_kept(cache: Cache) -> None:
    assert cache.find_text("resolutions", KEY) is None
    cache.store_text("resolutions", KEY, "é = 1\n")
    assert cache.find_text("resolutions", KEY) == "é = 1\n"
    assert cache.find_text("resolutions", "ac" * 32) is None
    cache.store_text("resolutions", KEY, "b = 2\n")
    assert cache.find_text("resolutions", KEY) == "b = 2\n"
    assert [path.name for path in resolutions(cache).iterdir()] == [KEY]


def test_a_resolution_of_other_bytes_or_in_place_of_which_is_a_folder_is_a_miss(cache: Cache) -> None:
    cache.store_text("resolutions", KEY, "a = 1\n")
    path = resolutions(cache) / KEY
    path.write_bytes(b"\xff")
    assert cache.find_text("resolutions", KEY) is None
    path.with_suffix(".damaged").unlink()
    path.mkdir()
    assert cache.find_text("resolutions", KEY) is None
    cache.store_text("resolutions", KEY, "a = 1\n")
    assert cache.find_text("resolutions", KEY) is None
    assert [path.name for path in resolutions(cache).iterdir()] == [KEY]


def test_every_byte_of_a_text_counts(cache: Cache) -> None:
    text = 'version = "1.0"\r\nname = "é"\n\n'
    cache.store_text("exports", KEY, text)
    path = cache.version / "exports" / KEY
    whole = path.read_bytes()
    damages = [bytes([*whole[:place], whole[place] ^ 1, *whole[place + 1 :]]) for place in range(len(whole))]
    damages += [whole[:place] for place in range(len(whole))]
    damages += [whole + b"\0", whole + b"\n", b"\n" + whole, whole * 2, text.encode(), bytes(len(whole))]
    for damage in damages:
        path.write_bytes(damage)
        assert cache.find_text("exports", KEY) is None, damage
        assert path.with_suffix(".damaged").read_bytes() == damage
        assert not path.exists()
    path.write_bytes(whole)
    assert cache.find_text("exports", KEY) == text


def test_a_text_in_the_place_of_another_is_a_miss(cache: Cache) -> None:
    cache.store_text("exports", KEY, "a = 1\n")
    whole = (cache.version / "exports" / KEY).read_bytes()
    for kind, key in (("exports", "ac" * 32), ("resolutions", KEY)):
        cache.store_text(kind, key, "b = 2\n")
        (cache.version / kind / key).write_bytes(whole)
        assert cache.find_text(kind, key) is None
    assert cache.find_text("exports", KEY) == "a = 1\n"


FORGETFUL = """
cache = Cache(Path(sys.argv[1]))
cache.store_text("resolutions", "cd" * 32, "a = 1")
print(cache.find_text("resolutions", "cd" * 32), cache.find_text("resolutions", "ab" * 32))
"""


def test_a_resolution_that_cannot_be_kept_is_no_error() -> None:
    with public_folder() as folder:
        cache = Cache(folder)
        cache.ensure()
        cache.store_text("resolutions", KEY, "a = 1")
        resolutions(cache).chmod(0o555)
        assert run_unprivileged(IMPORTS, FORGETFUL, folder) == "None a = 1\n"
        assert [path.name for path in resolutions(cache).iterdir()] == [KEY]


HOME = Path("/home/me")


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({}, "linux", "/home/me/.cache/lambdabuild"),
        ({"XDG_CACHE_HOME": "/xdg"}, "linux", "/xdg/lambdabuild"),
        ({"XDG_CACHE_HOME": "relative"}, "linux", "/home/me/.cache/lambdabuild"),
        ({"XDG_CACHE_HOME": ""}, "linux", "/home/me/.cache/lambdabuild"),
        ({"LAMBDABUILD_CACHE_DIR": "/mine", "XDG_CACHE_HOME": "/xdg"}, "linux", "/mine"),
        ({"LAMBDABUILD_CACHE_DIR": ""}, "linux", "/home/me/.cache/lambdabuild"),
        ({}, "darwin", "/home/me/Library/Caches/lambdabuild"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/lambdabuild/Cache"),
        ({}, "win32", "/home/me/.cache/lambdabuild"),
    ],
)
def test_where_the_cache_lies(environ: dict[str, str], platform: str, expected: str) -> None:
    assert default_root(environ, home=HOME, platform=platform) == Path(expected)


def test_a_relative_folder_is_made_absolute() -> None:
    assert default_root({"LAMBDABUILD_CACHE_DIR": "mine"}, home=HOME, platform="linux") == Path.cwd() / "mine"
