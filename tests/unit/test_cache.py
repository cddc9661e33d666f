"""cache: whatever lies on the disk, what was kept is whole or it is not there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambdabuild.cache import KEPT_AT, Cache, default_root
from lambdabuild.wheels.store import WheelStore
from tests.removals import wait_for_removals
from tests.unprivileged import public_folder, run_unprivileged

KEY = "ab" * 32
DATA = bytes(range(256)) * 5
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "cache")
    made.ensure()
    return made


def entry(cache: Cache) -> Path:
    return cache.root / "v3" / "indexes" / KEY


def files(cache: Cache) -> list[str]:
    return sorted(path.name for path in (cache.root / "v3" / "indexes").rglob("*") if path.is_file())


def test_what_is_stored_is_found(cache: Cache) -> None:
    cache.store_bytes("indexes", KEY, DATA)
    assert cache.find_bytes("indexes", KEY) == DATA
    assert cache.path("indexes", KEY) == entry(cache)
    assert entry(cache).read_bytes()[KEPT_AT:] == DATA
    assert files(cache) == [KEY]


def test_what_is_not_stored_is_not_found(cache: Cache) -> None:
    cache.store_bytes("indexes", KEY, DATA)
    assert cache.find_bytes("indexes", "ac" * 32) is None
    assert cache.find_bytes("patches", KEY) is None
    assert Cache(cache.root.with_name("never-made")).find_bytes("indexes", KEY) is None


def test_a_folder_or_a_dangling_link_in_place_of_an_entry(cache: Cache) -> None:
    cache.store_bytes("indexes", KEY, DATA)
    entry(cache).unlink()
    entry(cache).symlink_to("nowhere")
    assert cache.find_bytes("indexes", KEY) is None
    cache.store_bytes("indexes", KEY, DATA)
    assert not entry(cache).is_symlink()
    assert cache.find_bytes("indexes", KEY) == DATA
    entry(cache).unlink()
    entry(cache).mkdir()
    assert cache.find_bytes("indexes", KEY) is None
    cache.store_bytes("indexes", KEY, DATA)
    assert cache.find_bytes("indexes", KEY) is None
    assert files(cache) == []


FULL = """
import resource, sys
from pathlib import Path
from lambdabuild.cache import Cache
from lambdabuild.errors import MachineError
from lambdabuild.wheels.store import WheelStore
cache = Cache(Path(sys.argv[1]))
cache.ensure()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
cache.store_bytes("indexes", "ab" * 32, bytes(1280))
print(cache.find_bytes("indexes", "ab" * 32))
for write in (lambda: WheelStore(cache).add("ab" * 32, [bytes(1280)]), cache.ensure):
    try:
        write()
    except MachineError as error:
        print(error)
"""


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """What can be had again is not kept; what cannot is an error."""
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "None\n"
        + (
            f"neither the cache folder {tmp_path} (File too large) nor a temporary one (File too large) can be "
            "written\n  hint: free some disk space, or set LAMBDABUILD_CACHE_DIR to a folder that can be written\n"
        )
        * 2
    )
    assert files(Cache(tmp_path)) == []


CROWD = """
import hashlib, sys
from pathlib import Path
from lambdabuild.cache import Cache
from lambdabuild.wheels.store import WheelStore
data = bytes(range(256)) * 100
cache = Cache(Path(sys.argv[1]))
sys.stdin.readline()
cache.ensure()
for number in range(50):
    cache.store_bytes("indexes", "ab" * 32, data)
    assert cache.find_bytes("indexes", "ab" * 32) == data
    wheel = data + bytes([number])
    assert WheelStore(cache).add(hashlib.sha256(wheel).hexdigest(), [wheel]).read_bytes() == wheel
"""


def test_many_processes_store_one_key_at_once(tmp_path: Path) -> None:
    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", CROWD, tmp_path], stdin=subprocess.PIPE)

    crowd = [start() for _ in range(4)]
    for process in crowd:
        process.communicate(b"go\n")
    assert [process.returncode for process in crowd] == [0] * 4
    assert files(Cache(tmp_path)) == [KEY]
    wheels = [path for path in (tmp_path / "v3" / "wheels").rglob("*") if path.is_file()]
    assert len(wheels) == 50
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in wheels)


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
    cache.store_bytes("indexes", KEY, DATA)
    assert entry(cache).stat().st_mode & 0o777 == 0o664
    umask(0o077)
    cache.store_bytes("indexes", KEY, DATA)
    assert entry(cache).stat().st_mode & 0o777 == 0o600


def test_a_cache_that_cannot_be_written_is_replaced_for_this_run(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for root in (file, file / "below"):
        said: list[str] = []
        cache = Cache(root, notice=said.append)
        with cache.in_use(), cache.building([KEY], waiting=never), cache.scratch() as scratch:
            assert scratch.is_dir()
            assert WheelStore(cache).add(SHA256, [DATA]).read_bytes() == DATA
            assert WheelStore(cache).find(SHA256) is not None
            cache.store_bytes("indexes", KEY, DATA)
            assert cache.find_bytes("indexes", KEY) is None
            cache.ensure()
        assert not cache.writable
        assert said == [
            f"the cache folder {root} cannot be written (Not a directory): this build goes on without it, and keeps "
            "nothing for the next (LAMBDABUILD_CACHE_DIR sets another folder)"
        ]


def never() -> None:
    raise AssertionError("nobody has what is wanted")


IMPORTS = """
import atexit, hashlib, tempfile
from pathlib import Path
from lambdabuild.cache import Cache
from lambdabuild.errors import MachineError
from lambdabuild.wheels.store import WheelStore, WrongDigestError
"""
READ_ONLY = """
tempfile.tempdir = sys.argv[2]
cache = Cache(Path(sys.argv[1]), notice=print)
store = WheelStore(cache)
print(cache.find_bytes("indexes", "ab" * 32), cache.find_bytes("indexes", "cd" * 32))
with cache.in_use():
    cache.store_bytes("indexes", "ef" * 32, b"new")
    print(cache.find_bytes("indexes", "ef" * 32), cache.find_bytes("indexes", "cd" * 32))
    for data in (b"new", b"newer"):
        path = store.add(hashlib.sha256(data).hexdigest(), [data])
        print(path.read_bytes(), path.is_relative_to(sys.argv[2]), store.find_whole(path.name) == path)
    print(store.find_whole(sys.argv[3]).is_relative_to(sys.argv[1]), len(list(Path(sys.argv[2]).iterdir())))
"""


@pytest.mark.parametrize("mode", [0o555, 0o444])
def test_a_cache_that_may_only_be_read_is_read(mode: int) -> None:
    with public_folder() as folder, public_folder() as temporary:
        temporary.chmod(0o777)
        cache = Cache(folder / "cache")
        cache.ensure()
        cache.store_bytes("indexes", KEY, DATA)
        cache.store_bytes("indexes", "cd" * 32, b"kept")
        WheelStore(cache).add(SHA256, [DATA])
        entry(cache).write_bytes(b"damaged")
        (cache.root / "CACHEDIR.TAG").unlink()
        for path in (cache.root, *cache.root.rglob("*")):
            path.chmod(0o555 if path.is_dir() else mode)
        assert run_unprivileged(IMPORTS, READ_ONLY, cache.root, temporary, SHA256) == (
            "None b'kept'\n"
            f"the cache folder {cache.root} cannot be written (Permission denied): this build goes on without it, and "
            "keeps nothing for the next (LAMBDABUILD_CACHE_DIR sets another folder)\n"
            "None b'kept'\nb'new' True True\nb'newer' True True\nTrue 2\n"
        )
        assert list(temporary.iterdir()) == []


SUDO = """
cache = Cache(Path(sys.argv[1]), notice=print)
with cache.in_use():
    print(WheelStore(cache).find_whole(sys.argv[2]) is not None)
    try:
        WheelStore(cache).add(sys.argv[2][:2] + "0" * 62, [b"new"])
    except WrongDigestError:
        print("the file is not the one of its name")
"""


def test_a_folder_of_the_cache_that_is_somebody_elses() -> None:
    with public_folder() as folder:
        cache = Cache(folder / "cache")
        cache.ensure()
        path = WheelStore(cache).add(SHA256, [DATA])
        for one in (cache.root, *cache.root.rglob("*")):
            one.chmod(0o777 if one.is_dir() else 0o666)
        path.parent.chmod(0o755)
        assert run_unprivileged(IMPORTS, SUDO, cache.root, SHA256) == (
            f"True\nthe cache folder {cache.root} cannot be written (Permission denied): this build goes on without "
            "it, and keeps nothing for the next (LAMBDABUILD_CACHE_DIR sets another folder)\n"
            "the file is not the one of its name\n"
        )


FETCHING = f"""
import ssl
from lambdabuild import claims, scratch
from lambdabuild.model.credentials import Credentials
from lambdabuild.model.events import ignore
from lambdabuild.model.requirements import Pin
from lambdabuild.wheels.client import Client
from lambdabuild.wheels.fetch import Fetcher
{IMPORTS}
"""
TAKE = """
tempfile.tempdir = sys.argv[2]
store = WheelStore(Cache(Path(sys.argv[1]), notice=print))
client = Client(environ={}, credentials=Credentials, tls=ssl.create_default_context)
pin = Pin(name="demo", version="1.0", kind=sys.argv[4], path=sys.argv[3], sha256=sys.argv[5])
for _ in range(2):
    path = Fetcher(store, client, ignore).fetch([pin])[pin]
    print(path.is_relative_to(sys.argv[2]), hashlib.sha256(path.read_bytes()).hexdigest())
"""


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_another_file_in_a_store_that_may_only_be_read_is_not_taken(kind: str) -> None:
    with public_folder() as folder, public_folder() as temporary:
        temporary.chmod(0o777)
        (folder / "file").write_bytes(DATA)
        cache = Cache(folder / "cache")
        cache.ensure()
        path = WheelStore(cache).add(SHA256, [DATA])
        path.unlink()
        path.write_bytes(b"of another user")
        for one in (cache.root, *cache.root.rglob("*")):
            one.chmod(0o555 if one.is_dir() else 0o444)
        assert run_unprivileged(FETCHING, TAKE, cache.root, temporary, folder / "file", kind, SHA256) == (
            f"the cache folder {cache.root} cannot be written (Permission denied): this build goes on without it, and "
            f"keeps nothing for the next (LAMBDABUILD_CACHE_DIR sets another folder)\nTrue {SHA256}\nTrue {SHA256}\n"
        )
        assert path.read_bytes() == b"of another user"


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
    return cache.root / "v3" / "resolutions"


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
