"""model.forwarding: what an installation sees of the environment, and what code of strangers must never see."""

from __future__ import annotations

import pytest

from lambdabuild.model.forwarding import forwarded, forwarded_without_credentials

CANARY = "canary-S3cr3t"

PUBLIC = {
    "UV_DEFAULT_INDEX": "https://index.example/simple",
    "UV_INDEX": "one=https://one.example/simple two=https://two.example/simple",
    "UV_INDEX_URL": "https://index.example/simple",
    "UV_EXTRA_INDEX_URL": "https://extra.example/simple",
    "UV_INDEX_STRATEGY": "unsafe-best-match",
    "UV_INSECURE_HOST": "index.example",
    "UV_HTTP_TIMEOUT": "10",
    "UV_HTTP_RETRIES": "0",
    "UV_CONCURRENT_DOWNLOADS": "4",
    "UV_OFFLINE": "1",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "http_proxy": "http://proxy.example:3128",
    "NO_PROXY": "localhost,127.0.0.1,.example",
}
PRIVATE = {
    "UV_INDEX_ONE_USERNAME": "me",
    "UV_INDEX_ONE_PASSWORD": CANARY,
}
OTHERS = {
    "HOME": "/home/me",
    "PATH": "/bin",
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "GITHUB_TOKEN": CANARY,
    "UV_PUBLISH_TOKEN": CANARY,
    "UV_CACHE_DIR": "/cache",
    "UV_TARGET": "/else",
    "UV_INDEX_PASSWORD": CANARY,
    "MY_HTTP_PROXY": "http://proxy.example",
    "Http_Proxy": "http://proxy.example",
}


def test_the_downloading_process_sees_indexes_proxies_and_credentials() -> None:
    assert forwarded({**PUBLIC, **PRIVATE, **OTHERS}) == {**PUBLIC, **PRIVATE}


def test_code_of_distributions_sees_no_credentials() -> None:
    assert forwarded_without_credentials({**PUBLIC, **PRIVATE, **OTHERS}) == PUBLIC


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://me:{}@index.example:8443/simple?a=1#b", "https://index.example:8443/simple?a=1#b"),
        ("https://{}@index.example/simple", "https://index.example/simple"),
        ("one=https://me:{}@one.example/simple", "one=https://one.example/simple"),
        ("https://a:{0}@one.example https://b:{0}@two.example", "https://one.example https://two.example"),
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
