"""builders.failures: a build from source that fails tells the end of what it said, and where the whole lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdabuild.builders.failures import build_failure, no_log
from lambdabuild.cache import Cache
from lambdabuild.model.requirements import Pin
from tests.index import Index
from tests.shop import Shop, make_shop

FILES = {
    "pyproject.toml": (
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["broken"]\n'
        '[tool.uv.sources]\nbroken = { path = "broken" }\n[tool.lambdabuild]\npython = "3.13"\n'
    ),
    "broken/pyproject.toml": (
        '[project]\nname = "broken"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    ),
    "broken/backend.py": (
        "import sys\ndef build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        "    for number in range(200):\n        print(f'line {number} of the compiler', file=sys.stderr)\n"
        "    sys.exit('it does not compile')\n"
    ),
}


@pytest.fixture
def shop(tmp_path: Path, index: Index) -> Shop:
    return make_shop(tmp_path, index).write(FILES).lock()


def test_a_build_that_fails(shop: Shop, tmp_path: Path) -> None:
    ended = shop.run("layer", "--builder", "host")
    assert ended.code == 1
    first, *lines, whole, hint = ended.error.splitlines()
    assert first == "error: building broken failed:"
    assert len(lines) == 40
    assert "it does not compile" in [line.strip() for line in lines]
    assert whole.startswith("  the whole log: ")
    assert hint == "  hint: mend its build, or leave it out"
    log = Path(whole.removeprefix("  the whole log: "))
    assert log.parent == tmp_path / "cache" / "logs"
    assert all(f"line {number} of the compiler" in log.read_text() for number in range(200))
    shop.done("cache", "clear")
    assert not log.exists()


def test_a_log_that_the_cache_cannot_take(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = Cache(tmp_path / "file").keep_log("broken-1.0", "said é\n")
    assert log is not None
    assert log.read_text(encoding="utf-8") == "said é\n"
    assert log.name.startswith("lambdabuild-broken-1.0-")
    log.unlink()


@pytest.mark.parametrize(
    "said",
    [
        "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
        "OSError: [Errno 101] Network is unreachable",
        "fatal: unable to access 'https://example.org/': Could not resolve host: example.org",
        "failed to lookup address information: Name or service not known",
        "dial tcp: lookup example.org on [::1]:53: read udp",
        "httpx.ConnectError: [Errno -2] Name or service not known",
    ],
)
def test_a_build_that_wants_the_network(said: str) -> None:
    pin = Pin(name="native", version="1.0", kind="sdist")
    allow = 'builds have no network; this one may have it with network = ["native"] in [tool.lambdabuild.build]'
    assert build_failure(pin, said, keep_log=no_log, offline=True).hint == allow
    assert build_failure(pin, said, keep_log=no_log).hint == "mend its build, or leave it out"
    assert build_failure(pin, "it is wrong", keep_log=no_log, offline=True).hint == "mend its build, or leave it out"
