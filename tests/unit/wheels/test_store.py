"""wheels.store: a file that was damaged is set aside, and the one that came in its place is not."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from lambdabuild.cache import Cache
from lambdabuild.wheels.store import WheelStore

DATA = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    store = WheelStore(Cache(tmp_path))
    path = store.add(SHA256, [DATA])
    assert store.find_whole(SHA256) == path
    path.chmod(0o644)
    path.write_bytes(DATA[:-1])
    assert store.find_whole(SHA256) is None
    assert not path.exists()
    assert path.with_suffix(".damaged").read_bytes() == DATA[:-1]
    assert store.find_whole(SHA256) is None


def test_builds_that_find_a_damaged_file_at_once(tmp_path: Path) -> None:
    store = WheelStore(Cache(tmp_path))
    path = store.add(SHA256, [DATA])
    with ThreadPoolExecutor(4) as pool:
        for _ in range(50):
            path.chmod(0o644)
            path.write_bytes(DATA[:-1] + b"x")
            start = Barrier(4)

            def build(start: Barrier = start) -> bytes:
                start.wait()
                return (store.find_whole(SHA256) or store.add(SHA256, [DATA])).read_bytes()

            assert [made.result() for made in [pool.submit(build) for _ in range(4)]] == [DATA] * 4
