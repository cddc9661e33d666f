"""builders.download: the file of a source distribution from a real server, or an error that says why not."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from errno import ECONNREFUSED
from urllib.request import Request

import pytest

from lambdabuild.builders.download import _Authorization, fetch
from lambdabuild.errors import MachineError, PolicyError
from lambdabuild.model.credentials import Credentials, Login, login_hint
from lambdabuild.model.requirements import Pin
from tests.index import Answer, Index
from tests.wheels import sdist

FILENAME, DATA = sdist("demo")
PATH = f"/files/{FILENAME}"
HINT = "check the network, the proxy settings and the index"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def pin(index: Index, *, userinfo: str = "", path: str = PATH, data: bytes = DATA) -> Pin:
    url = index.url.replace("http://", f"http://{userinfo}") + path
    return Pin(name="demo", version="1.0", kind="sdist", url=url, sha256=hashlib.sha256(data).hexdigest())


def test_the_file_that_was_locked(index: Index) -> None:
    index.add_file("demo", FILENAME, DATA)
    assert fetch(pin(index)) == DATA
    assert index.requests == [(PATH, None)]


def test_an_answer_elsewhere(index: Index) -> None:
    index.add_file("demo", FILENAME, DATA)
    index.answers["/old"] = Answer(b"", status=302, headers=(("Location", PATH),))
    assert fetch(pin(index, path="/old")) == DATA


@pytest.mark.parametrize(
    ("userinfo", "credentials"),
    [("me:secret@", b"me:secret"), ("m%40e:se%2Fcret@", b"m@e:se/cret"), ("token@", b"token:")],
)
def test_credentials_of_the_url(index: Index, userinfo: str, credentials: bytes) -> None:
    index.add_file("demo", FILENAME, DATA)
    assert fetch(pin(index, userinfo=userinfo)) == DATA
    assert index.requests == [(PATH, f"Basic {b64encode(credentials).decode()}")]


def test_another_file(index: Index) -> None:
    index.add_file("demo", FILENAME, b"something else")
    with pytest.raises(PolicyError) as caught:
        fetch(pin(index))
    assert str(caught.value) == (
        "demo-1.0.tar.gz has not the hash that was locked\n"
        f"  expected sha256 {hashlib.sha256(DATA).hexdigest()}\n"
        f"  computed sha256 {hashlib.sha256(b'something else').hexdigest()}\n"
        "  hint: the file is not the one that was locked: do not use it before you know why"
    )


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(b"", status=404), "HTTP Error 404: Not Found"),
        (Answer(b"", status=503), "HTTP Error 503: Service Unavailable"),
        (Answer(DATA, length=len(DATA) + 7), f"IncompleteRead({len(DATA)} bytes read, 7 more expected)"),
    ],
)
def test_answers_that_are_no_file(index: Index, answer: Answer, problem: str) -> None:
    index.answers[PATH] = answer
    with pytest.raises(MachineError) as caught:
        fetch(pin(index))
    assert str(caught.value) == f"demo-1.0.tar.gz cannot be fetched: {problem}\n  hint: {HINT}"


@pytest.mark.parametrize(("status", "words"), [(401, "Unauthorized"), (403, "Forbidden")])
def test_a_login_that_is_missing_or_wrong(index: Index, status: int, words: str) -> None:
    index.answers[PATH] = Answer(b"", status=status)
    with pytest.raises(MachineError) as caught:
        fetch(pin(index))
    assert caught.value.message == f"demo-1.0.tar.gz cannot be fetched: HTTP Error {status}: {words}"
    assert caught.value.hint == login_hint(index.url.removeprefix("http://"))


def test_no_server(index: Index) -> None:
    index.close()
    with pytest.raises(MachineError) as caught:
        fetch(pin(index))
    assert str(caught.value) == (
        f"demo-1.0.tar.gz cannot be fetched: <urlopen error [Errno {ECONNREFUSED}] Connection refused>\n  hint: {HINT}"
    )


@pytest.mark.parametrize("status", [401, 403, 404])
def test_credentials_are_in_no_message(index: Index, status: int) -> None:
    index.answers[PATH] = Answer(b"", status=status)
    with pytest.raises(MachineError) as caught:
        fetch(pin(index, userinfo="me:canary@"))
    assert "canary" not in str(caught.value)
    assert {authorization for _, authorization in index.requests} == {f"Basic {b64encode(b'me:canary').decode()}"}


def test_credentials_do_not_follow_to_another_server(index: Index) -> None:
    with Index() as other:
        other.add_file("demo", FILENAME, DATA)
        location = other.url.replace("127.0.0.1", "localhost") + PATH
        index.answers[PATH] = Answer(b"", status=302, headers=(("Location", location),))
        assert fetch(pin(index, userinfo="me:canary@")) == DATA
        assert other.requests == [(PATH, None)]


def test_credentials_that_are_known_for_the_place(index: Index) -> None:
    index.add_file("demo", FILENAME, DATA)
    index.answers["/old"] = Answer(b"", status=302, headers=(("Location", PATH),))
    login = Login(username="me", password="sécret")
    assert fetch(pin(index, path="/old"), credentials=Credentials(netrc={"127.0.0.1": login})) == DATA
    header = f"Basic {b64encode('me:sécret'.encode()).decode()}"
    assert index.requests == [("/old", header), (PATH, header)]


def test_credentials_do_not_follow_to_another_port(index: Index) -> None:
    with Index() as other:
        url = other.add_file("demo", FILENAME, DATA)
        index.answers[PATH] = Answer(b"", status=302, headers=(("Location", url),))
        assert fetch(pin(index, userinfo="me:canary@")) == DATA
        assert other.requests == [(PATH, None)]


def test_credentials_for_https_are_not_told_to_http() -> None:
    handler = _Authorization("https://index.example/files/x", Login(username="me", password="canary"))
    for url, told in [
        ("https://index.example/other", True),
        ("https://index.example:443/other", True),
        ("http://index.example/files/x", False),
        ("http://index.example:443/files/x", False),
        ("https://index.example:444/files/x", False),
    ]:
        request = handler.https_request(Request(url))
        assert ("Authorization" in request.unredirected_hdrs) is told, url
        assert "Authorization" not in request.headers
