"""wheels.fetch: files from a real server into a real store, whatever the server does on the way."""

from __future__ import annotations

import hashlib
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lambdabuild.cache import Cache
from lambdabuild.errors import MachineError, PolicyError
from lambdabuild.model.credentials import Credentials, Login, login_hint
from lambdabuild.model.events import Event
from lambdabuild.model.requirements import Pin
from lambdabuild.wheels.client import Client, proxy_of
from lambdabuild.wheels.fetch import Fetcher
from lambdabuild.wheels.store import WheelStore
from tests.index import Answer, Index

DATA = bytes(range(256)) * 4000
PATH = "/files/demo-1.0-py3-none-any.whl"
NAME = PATH.rpartition("/")[2]
HINT = "check the network, the proxy settings and the index"
BASIC = "Basic " + b64encode(b"me:canary").decode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Attempt:
    """A store, a client, and what was told and slept on the way."""

    store: WheelStore
    environ: dict[str, str] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)
    ask_helpers: Callable[[str, str], Login | None] = lambda url, username: None
    slept: list[float] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def fetch(self, *pins: Pin) -> Mapping[Pin, Path]:
        client = Client(
            environ=self.environ,
            credentials=lambda: self.credentials,
            tls=ssl.create_default_context,
            ask_helpers=self.ask_helpers,
        )
        return Fetcher(self.store, client, self.events.append, sleep=self.slept.append).fetch(pins)

    def failure(self, pin: Pin) -> str:
        with pytest.raises((MachineError, PolicyError)) as caught:
            self.fetch(pin)
        return str(caught.value)


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    cache = Cache(tmp_path / "cache")
    cache.ensure()
    return Attempt(WheelStore(cache))


def pin(index: Index, *, path: str = PATH, data: bytes = DATA, userinfo: str = "", size: int | None = None) -> Pin:
    url = index.url.replace("http://", f"http://{userinfo}") + path
    return Pin(name="demo", version="1.0", kind="wheel", url=url, sha256=sha256(data), size=size)


def partial(attempt: Attempt, data: bytes = DATA) -> Path:
    return attempt.store.path(sha256(data)).with_name(sha256(data) + ".partial")


def test_a_file_comes_in_once(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = Answer(DATA)
    wanted = pin(index, size=len(DATA))
    path = attempt.fetch(wanted)[wanted]
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o444
    assert attempt.fetch(wanted) == {wanted: path}
    assert index.requests == [(PATH, None)]
    assert attempt.events[0] == Event(phase="fetch", text="fetching 1 file")
    assert attempt.events[-1] == Event(phase="fetch", text="fetching 1 file", done=len(DATA), total=len(DATA))


def test_many_files_side_by_side(index: Index, attempt: Attempt) -> None:
    files = {f"/files/d{n}-1.0-py3-none-any.whl": DATA[n:] for n in range(20)}
    index.answers |= {path: Answer(data) for path, data in files.items()}
    pins = [pin(index, path=path, data=data) for path, data in files.items()]
    found = attempt.fetch(*pins, *pins)
    assert [found[one].read_bytes() for one in pins] == list(files.values())
    assert len(index.requests) == 20


def test_what_broke_off_is_gone_on_with(index: Index, attempt: Attempt) -> None:
    whole = Answer(DATA, ranges=True)
    index.answers[PATH] = [replace(whole, cut=300_000), replace(whole, cut=300_000), whole]
    wanted = pin(index, size=len(DATA))
    assert attempt.fetch(wanted)[wanted].read_bytes() == DATA
    assert len(index.requests) == 3
    assert attempt.slept == [0.5, 0.5]


def test_a_server_that_knows_no_ranges_is_asked_for_the_whole(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = [Answer(DATA, cut=300_000), Answer(DATA)]
    wanted = pin(index)
    assert attempt.fetch(wanted)[wanted].read_bytes() == DATA


def test_what_a_killed_run_left_is_gone_on_with(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = Answer(DATA, ranges=True)
    partial(attempt).parent.mkdir(parents=True)
    partial(attempt).write_bytes(DATA[:1000])
    assert attempt.fetch(pin(index))
    assert not partial(attempt).exists()


@pytest.mark.parametrize("left", [b"something else", DATA + b"more", DATA])
def test_what_a_killed_run_left_may_be_wrong_too_long_or_whole(index: Index, attempt: Attempt, left: bytes) -> None:
    index.answers[PATH] = Answer(DATA, ranges=True)
    partial(attempt).parent.mkdir(parents=True)
    partial(attempt).write_bytes(left)
    wanted = pin(index)
    assert attempt.fetch(wanted)[wanted].read_bytes() == DATA


@pytest.mark.parametrize("size", [None, len(DATA)])
def test_another_file(index: Index, attempt: Attempt, size: int | None) -> None:
    other = DATA[:-1] + b"x"
    index.answers[PATH] = Answer(other)
    assert attempt.failure(pin(index, size=size)) == (
        f"{NAME} has not the hash that was locked\n"
        f"  expected sha256 {sha256(DATA)}\n"
        f"  computed sha256 {sha256(other)}\n"
        "  hint: the file is not the one that was locked: do not use it before you know why"
    )
    assert len(index.requests) == 1
    assert not attempt.store.path(sha256(DATA)).exists()
    assert not partial(attempt).exists()


def test_a_file_without_end_is_not_read_to_its_end(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = Answer(DATA * 20)
    assert "has not the hash that was locked" in attempt.failure(pin(index, size=len(DATA)))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(index: Index, attempt: Attempt, status: int) -> None:
    index.answers[PATH] = [Answer(b"", status=status), Answer(b"", status=status), Answer(DATA)]
    assert attempt.fetch(pin(index))
    assert attempt.slept == [0.5, 1.0]


def test_what_does_not_pass_is_told(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = Answer(b"", status=503)
    host = index.url.removeprefix("http://")
    assert attempt.failure(pin(index)) == (
        f"{NAME} cannot be fetched from {host}: HTTP 503 Service Unavailable\n  hint: {HINT}"
    )
    assert attempt.slept == [0.5, 1.0, 2.0, 4.0]


def test_a_server_says_how_long_it_wants_to_be_left_alone(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = [Answer(b"", status=429, headers=(("Retry-After", "7"),)), Answer(DATA)]
    assert attempt.fetch(pin(index))
    assert attempt.slept == [7.0]


def test_a_server_that_wants_to_be_left_alone_for_an_hour(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = Answer(b"", status=429, headers=(("Retry-After", "3600"),))
    assert "HTTP 429 Too Many Requests" in attempt.failure(pin(index))
    assert attempt.slept == []


def test_an_answer_that_always_breaks_off(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = Answer(DATA[:1000], length=len(DATA))
    host = index.url.removeprefix("http://")
    assert attempt.failure(pin(index)) == (
        f"{NAME} cannot be fetched from {host}: the answer broke off after 1.0 kB of 1.0 MB\n  hint: {HINT}"
    )


def test_a_file_that_is_gone(index: Index, attempt: Attempt) -> None:
    host = index.url.removeprefix("http://")
    assert attempt.failure(pin(index)) == (
        f"{NAME} cannot be fetched from {host}: HTTP 404 Not Found\n"
        "  hint: the index has the locked file no longer: uv lock --upgrade-package demo"
    )
    assert attempt.slept == []


def test_no_server(index: Index, attempt: Attempt) -> None:
    index.close()
    host = index.url.removeprefix("http://")
    assert attempt.failure(pin(index)) == f"{NAME} cannot be fetched from {host}: Connection refused\n  hint: {HINT}"


def test_offline(index: Index, attempt: Attempt) -> None:
    attempt.environ["UV_OFFLINE"] = "1"
    assert attempt.failure(pin(index)) == (
        f"{NAME} is not in the cache, and UV_OFFLINE is set\n  hint: build once with the network, or unset UV_OFFLINE"
    )
    assert index.requests == []


@pytest.mark.parametrize("as_url", [True, False])
def test_a_file_of_this_machine(tmp_path: Path, attempt: Attempt, as_url: bool) -> None:
    file = tmp_path / "a wheelhouse" / NAME
    file.parent.mkdir()
    file.write_bytes(DATA)
    where = {"url": file.as_uri()} if as_url else {"path": str(file)}
    wanted = Pin(name="demo", version="1.0", kind="wheel", sha256=sha256(DATA), **where)
    assert attempt.fetch(wanted)[wanted].read_bytes() == DATA
    other = replace(wanted, sha256=sha256(b"else"))
    assert f"computed sha256 {sha256(DATA)}" in attempt.failure(other)
    file.unlink()
    assert attempt.failure(other) == (
        f"{file} cannot be read: No such file or directory\n  hint: the lock names it; lock again after moving things"
    )


def test_a_login_of_the_url(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = Answer(DATA)
    assert attempt.fetch(pin(index, userinfo="me:canary@"))
    assert index.requests == [(PATH, BASIC)]


def test_a_login_goes_to_no_other_host_port_or_scheme(index: Index, attempt: Attempt) -> None:
    with Index() as other:
        for host in ("localhost", "127.0.0.1"):
            url = other.url.replace("127.0.0.1", host) + f"/files/{host}"
            other.answers[f"/files/{host}"] = Answer(DATA + host.encode())
            index.answers[f"/{host}"] = Answer(b"", status=302, headers=(("Location", url),))
            assert attempt.fetch(pin(index, path=f"/{host}", data=DATA + host.encode(), userinfo="me:canary@"))
        assert [authorization for _, authorization in other.requests] == [None, None]
    assert [authorization for _, authorization in index.requests] == [BASIC, BASIC]


def test_a_login_of_the_other_host_is_not_used_for_a_redirect_that_brings_one(index: Index, attempt: Attempt) -> None:
    with Index() as other:
        url = other.add_file("demo", NAME, DATA).replace("http://", "http://evil:word@")
        index.answers[PATH] = Answer(b"", status=302, headers=(("Location", url),))
        assert attempt.fetch(pin(index))
        assert other.requests == [(PATH, None)]


def test_redirects_without_end(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = Answer(b"", status=302, headers=(("Location", PATH),))
    assert "more than 10 redirects" in attempt.failure(pin(index))


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_is_missing(index: Index, attempt: Attempt, status: int) -> None:
    index.answers[PATH] = Answer(b"", status=status)
    host = index.url.removeprefix("http://")
    text = attempt.failure(pin(index, userinfo="me:canary@"))
    assert text.startswith(f"{NAME} cannot be fetched from {host}: HTTP {status} ")
    assert text.endswith(f"hint: {login_hint(host)}")
    assert "canary" not in text


def test_programs_that_keep_logins_are_asked_when_a_server_refuses(index: Index, attempt: Attempt) -> None:
    asked = []

    def helper(url: str, username: str) -> Login:
        asked.append((url, username))
        return Login(username="me", password="canary")

    attempt.ask_helpers = helper
    index.answers[PATH] = [Answer(b"", status=401), Answer(DATA)]
    assert attempt.fetch(pin(index, userinfo="me@"))
    assert asked == [(index.url + PATH, "me")]
    assert [authorization for _, authorization in index.requests][1] == BASIC


def test_a_proxy(index: Index, attempt: Attempt) -> None:
    attempt.environ["http_proxy"] = index.url.replace("http://", "http://me:canary@")
    url = "http://pkg.example/files/demo.whl"
    index.answers[url] = Answer(DATA)
    wanted = Pin(name="demo", version="1.0", kind="wheel", url=url, sha256=sha256(DATA))
    assert attempt.fetch(wanted)
    assert index.requests == [(url, None)]


@pytest.mark.parametrize(
    ("no_proxy", "proxied"),
    [
        ("", True),
        ("other.example", True),
        ("example.com", False),
        (".example.com, other", False),
        ("*.example.com", False),
        ("pkg.example.com:8443", False),
        ("pkg.example.com:443", True),
        ("kg.example.com", True),
        ("*", False),
        ("10.0.0.0/8", True),
    ],
)
def test_hosts_without_a_proxy(no_proxy: str, proxied: bool) -> None:
    environ = {"HTTPS_PROXY": "proxy.example:3128", "NO_PROXY": no_proxy}
    found = proxy_of("https://pkg.example.com:8443/x", environ)
    assert found == ("http://proxy.example:3128" if proxied else None)


def test_an_address_in_a_network_without_a_proxy() -> None:
    assert proxy_of("http://10.1.2.3/x", {"ALL_PROXY": "http://p", "no_proxy": "10.0.0.0/8"}) is None


def test_two_builds_fetch_a_file_once(index: Index, attempt: Attempt) -> None:
    index.answers[PATH] = Answer(DATA)
    arrived = index.hold(PATH)
    wanted = pin(index)
    threads = [threading.Thread(target=attempt.fetch, args=(wanted,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert arrived.wait(10)
    index.release()
    for thread in threads:
        thread.join(10)
    assert attempt.store.find_whole(wanted.sha256)
    assert len(index.requests) == 1
