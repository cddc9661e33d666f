"""model.forwarding: what an installation sees of the environment, and what code of strangers must never see."""

from __future__ import annotations

import pytest

from lambdabuild.model.forwarding import (
    deciding_without_credentials,
    forwarded_without_credentials,
    relevant,
    with_pip,
    without_indexes,
)

CANARY = "canary-S3cr3t"

INDEXES = {
    "UV_DEFAULT_INDEX": "https://index.example/simple",
    "UV_INDEX": "one=https://one.example/simple two=https://two.example/simple",
    "UV_INDEX_URL": "https://index.example/simple",
    "UV_EXTRA_INDEX_URL": "https://extra.example/simple",
    "UV_NO_INDEX": "1",
}
NETWORK = {
    "UV_INDEX_STRATEGY": "unsafe-best-match",
    "UV_INSECURE_HOST": "index.example",
    "UV_HTTP_TIMEOUT": "10",
    "UV_HTTP_RETRIES": "0",
    "UV_CONCURRENT_DOWNLOADS": "4",
    "UV_OFFLINE": "1",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "http_proxy": "http://proxy.example:3128",
    "ALL_PROXY": "http://proxy.example:3128",
    "NO_PROXY": "localhost,127.0.0.1,.example",
}
PRIVATE = {
    "UV_INDEX_ONE_USERNAME": "me",
    "UV_INDEX_ONE_PASSWORD": CANARY,
}
OTHERS = {
    "HOME": "/home/me",
    "PATH": "/bin",
    "NETRC": "/home/me/.netrc",
    "SSL_CLIENT_CERT": "/home/me/cert.pem",
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "GITHUB_TOKEN": CANARY,
    "UV_PUBLISH_TOKEN": CANARY,
    "UV_CACHE_DIR": "/cache",
    "UV_TARGET": "/else",
    "UV_INDEX_PASSWORD": CANARY,
    "MY_HTTP_PROXY": "http://proxy.example",
    "Http_Proxy": "http://proxy.example",
}
EVERYTHING = {**INDEXES, **NETWORK, **PRIVATE, **OTHERS}


def test_code_of_distributions_sees_no_credentials() -> None:
    assert forwarded_without_credentials(EVERYTHING) == {**INDEXES, **NETWORK}


DECIDING = ("UV_INSECURE_HOST", "UV_INDEX_STRATEGY", "UV_OFFLINE")
"""Of the network's variables: the others tell how an answer comes, and not what it is."""


def test_what_decides_on_answers_holds_no_credentials() -> None:
    settings = {"UV_RESOLUTION": "lowest", "UV_FIND_LINKS": f"https://me:{CANARY}@files.example/wheels"}
    deciding = deciding_without_credentials({**EVERYTHING, **settings})
    told = {"UV_RESOLUTION": "lowest", "UV_FIND_LINKS": "https://files.example/wheels", "UV_TARGET": "/else"}
    assert deciding == {**INDEXES, **{name: NETWORK[name] for name in DECIDING}, **told}


def test_indexes_and_their_credentials_are_left_out() -> None:
    assert without_indexes(EVERYTHING) == {**NETWORK, **OTHERS}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://me:{}@index.example:8443/simple?a=1#b", "https://index.example:8443/simple?a=1#b"),
        ("https://{}@index.example/simple", "https://index.example/simple"),
        ("one=https://me:{}@one.example/simple", "one=https://one.example/simple"),
        ("https://a:{0}@one.example https://b:{0}@two.example", "https://one.example https://two.example"),
        ("https://a:{0}@one.example\n\thttps://b:{0}@two.example", "https://one.example\n\thttps://two.example"),
        ("a=https://one.example b=https://b:{}@two.example", "a=https://one.example b=https://two.example"),
        ("https://me:{}%40x@index.example", "https://index.example"),
        ("https://me:{}@x@index.example", "https://index.example"),
        ("https://me:{}=@index.example", "https://index.example"),
        ("socks5h://me:{}@proxy.example:1080", "socks5h://proxy.example:1080"),
        ("me:{}@proxy.example:3128", "proxy.example:3128"),
        ("me:{}=@proxy.example:3128", "proxy.example:3128"),
        ("me:{}@[::1", "[::1"),
        ("https://me:{}@[::1", "https://[::1"),
        ("https://index.example/@scope/simple", "https://index.example/@scope/simple"),
        ("local=/srv/wheels@v1", "local=/srv/wheels@v1"),
    ],
)
@pytest.mark.parametrize("name", ["UV_INDEX", "HTTPS_PROXY", "all_proxy"])
def test_user_names_and_passwords_are_taken_out_of_urls(name: str, value: str, expected: str) -> None:
    stripped = forwarded_without_credentials({name: value.format(CANARY)})
    assert stripped == {name: expected}
    assert CANARY not in str(stripped)


PIP = {
    "PIP_INDEX_URL": "https://index.example/simple",
    "PIP_EXTRA_INDEX_URL": "https://one.example/simple https://two.example/simple",
    "PIP_TRUSTED_HOST": "index.example",
    "PIP_CERT": "/etc/ca.pem",
    "PIP_CLIENT_CERT": "/etc/client.pem",
    "PIP_PROXY": "http://proxy.example:3128",
}
LIKE_PIP = {
    "UV_DEFAULT_INDEX": "https://index.example/simple",
    "UV_INDEX": "https://one.example/simple https://two.example/simple",
    "UV_INSECURE_HOST": "index.example",
    "SSL_CERT_FILE": "/etc/ca.pem",
    "SSL_CLIENT_CERT": "/etc/client.pem",
    "ALL_PROXY": "http://proxy.example:3128",
}


def test_variables_of_pip_hold_where_those_of_uv_are_not_set() -> None:
    assert with_pip(PIP) == {**PIP, **LIKE_PIP}
    own = dict.fromkeys(LIKE_PIP, "own")
    assert with_pip({**PIP, **own}) == {**PIP, **own}
    assert with_pip({"PIP_PROXY": "a", "all_proxy": "b"}) == {"PIP_PROXY": "a", "all_proxy": "b"}
    assert with_pip({"PIP_INDEX_URL": "", "UV_DEFAULT_INDEX": ""}) == {"PIP_INDEX_URL": "", "UV_DEFAULT_INDEX": ""}


def test_the_first_bundle_of_certificates_counts() -> None:
    bundles = {"PIP_CERT": "c", "CURL_CA_BUNDLE": "b", "REQUESTS_CA_BUNDLE": "a"}
    assert with_pip(bundles)["SSL_CERT_FILE"] == "a"
    assert with_pip({**bundles, "SSL_CERT_FILE": "own"})["SSL_CERT_FILE"] == "own"


@pytest.mark.parametrize(
    "name", ["UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL"], ids=lambda name: name
)
def test_an_index_of_uv_outdoes_all_of_pip(name: str) -> None:
    without = {key: value for key, value in PIP.items() if "INDEX" not in key}
    environ = {**PIP, name: "https://own.example/simple"}
    assert relevant(environ, []) == {**without, name: "https://own.example/simple"}


@pytest.mark.parametrize(
    "settings",
    [
        {"index": [{"url": "https://own.example/simple", "default": True}]},
        {"index-url": "https://own.example/simple"},
        {"extra-index-url": ["https://own.example/simple"]},
        {"pip": {"index-url": "https://own.example/simple"}},
    ],
)
def test_so_does_an_index_in_the_settings_of_uv(settings: dict[str, object]) -> None:
    assert "PIP_INDEX_URL" in relevant(PIP, [])
    assert "PIP_INDEX_URL" in relevant(PIP, [{"index": "malformed", "pip": 1, "extra-index-url": "x", "index-url": 3}])
    assert relevant(PIP, [{}, settings]).keys() == {
        "PIP_TRUSTED_HOST",
        "PIP_CERT",
        "PIP_CLIENT_CERT",
        "PIP_PROXY",
    }
