"""Private indexes: every way in that uv knows reaches the files, and no login is left anywhere.

The index is pypiserver with basic authentication, at the address where the engine's containers reach this machine.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import quote

import docker
import pytest
from integration.private_index import (
    MARK,
    NEEDLES,
    PASSWORD,
    TOKEN,
    USER,
    PrivateIndex,
    Proxy,
    Site,
    Way,
    make_certificates,
    marked,
    proxying,
    serving,
    watched,
)

from lambdabuild.builders.secrets import tls_context
from lambdabuild.cache import Cache
from lambdabuild.errors import MachineError
from lambdabuild.model.credentials import Credentials
from lambdabuild.model.events import ignore
from lambdabuild.model.requirements import Pin
from lambdabuild.wheels.client import Client
from lambdabuild.wheels.fetch import Fetcher
from lambdabuild.wheels.store import WheelStore
from tests.bridge import find_gateway

BUILDERS = ["docker", "host"]
OWN = {"UV_INDEX_OWN_USERNAME": USER, "UV_INDEX_OWN_PASSWORD": PASSWORD}
EXPLICIT = """
[tool.uv.sources]
private-one = { index = "own" }
private-source = { index = "own" }
[[tool.uv.index]]
name = "own"
explicit = true
"""
WAYS = {
    "UV_INDEX": Way(env={"UV_INDEX": "own=SIGNED"}),
    "UV_DEFAULT_INDEX": Way(env={"UV_DEFAULT_INDEX": "SIGNED"}),
    "UV_EXTRA_INDEX_URL": Way(env={"UV_EXTRA_INDEX_URL": "SIGNED"}),
    "UV_INDEX_URL": Way(env={"UV_INDEX_URL": "SIGNED"}),
    "variables of a name": Way(env={"UV_INDEX": "own=PLAIN", **OWN}),
    "variables of an explicit index": Way(env=OWN, settings=f'{EXPLICIT}url = "PLAIN"'),
    "pyproject.toml": Way(settings=f'{EXPLICIT}url = "SIGNED"'),
    "NETRC": Way(env={"UV_DEFAULT_INDEX": "PLAIN", "NETRC": "HOME/logins"}, netrc="logins"),
    "home netrc": Way(env={"UV_DEFAULT_INDEX": "PLAIN"}, netrc=".netrc"),
    "a token": Way(env={"UV_INDEX": "SIGNED"}, user=TOKEN, password=""),
    "PIP_INDEX_URL": Way(env={"PIP_INDEX_URL": "SIGNED"}, lock={"UV_DEFAULT_INDEX": "SIGNED"}),
    "PIP_EXTRA_INDEX_URL": Way(env={"PIP_EXTRA_INDEX_URL": "SIGNED"}, lock={"UV_INDEX": "SIGNED"}),
    "URLs of files": Way(urls=True),
}


Serve = Callable[..., PrivateIndex]


@pytest.fixture(scope="session")
def gateway(docker_client: docker.DockerClient) -> str:
    """The address of this machine in the engine's default network."""
    return find_gateway(docker_client)


@pytest.fixture
def serve(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts an index, with the options of ``serving``; those of one test have the same files."""
    fresh = os.urandom(8).hex()
    with ExitStack() as stack:
        yield lambda *, host=gateway, **options: stack.enter_context(
            serving(tmp_path_factory.mktemp("index"), host, fresh=fresh, **options)
        )


@pytest.fixture
def make_site(serve: Serve, tmp_path: Path, lambdabuild: Callable) -> Callable[..., Site]:
    """Makes a place to build at, and its index with these options."""
    return lambda **options: Site(index=serve(**options), folder=tmp_path, lambdabuild=lambdabuild)


@pytest.fixture(scope="session")
def certificates(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder, gateway)
    return folder


@pytest.fixture
def proxy(gateway: str) -> Iterator[str]:
    with proxying(gateway) as address:
        yield address


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_every_way_in_leaves_no_login_behind(
    way: Way, builder: str, make_site: Callable[..., Site], docker_client: docker.DockerClient
) -> None:
    site = make_site(user=way.user, password=way.password)
    site.lock(way, *(["private-one", "private-source"] if builder == "docker" else ["private-one"]))
    site.index.forget()
    with watched(docker_client) as seen:
        done = site.build("layer", "--builder", builder, env=way.env)
        again = site.build("package", "--fat", "--builder", builder, env=way.env)
    assert ("private_one-1.0-py3-none-any.whl", site.index.login) in site.index.downloads
    layer = site.layer()
    assert layer["python/private_one.py"] == b"ONE = 1\n"
    if builder == "docker":
        assert ("private_source-1.0.tar.gz", site.index.login) in site.index.downloads
        assert layer["python/private_source.py"] == b"seen = []"  # in the container that it was built in
        assert any("exec_create" in text for text in seen)
        assert any('"ExecIDs": ["' in text for text in seen)
        assert any("pip\0install" in text for text in seen)
        networks = [told["HostConfig"]["NetworkMode"] for told in map(json.loads, seen_containers(seen))]
        assert set(networks) == {"none"}
    assert marked(seen) == []
    assert marked({done.stdout, done.stderr, again.stdout, again.stderr}) == []
    own = {f"home/{way.netrc}"} | ({"project/pyproject.toml"} if "SIGNED" in way.settings else set())
    assert set(site.marked_files()) <= own | ({"project/pyproject.toml", "project/uv.lock"} if way.urls else set())


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX"])
def test_requirements_that_are_resolved_for_the_build(
    variable: str, builder: str, make_site: Callable[..., Site], docker_client: docker.DockerClient
) -> None:
    site = make_site()
    site.lock(Way(settings='[tool.lambdabuild.layers.deps]\nrequirements = ["private-one"]\n'))
    site.index.forget()
    with watched(docker_client) as seen:
        done = site.build("layer", "--builder", builder, env={variable: "SIGNED"})
    assert ("private_one-1.0-py3-none-any.whl", site.index.login) in site.index.downloads
    assert marked({*seen, done.stdout, done.stderr}) == []
    assert site.marked_files() == []


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize(
    "text",
    [
        "--index-url SIGNED\nprivate-one\n",
        "--index-url http://${LOGIN}@PLACE/simple/\nprivate-one\n",
        "private-one @ FILES/private_one-1.0-py3-none-any.whl\n",
    ],
    ids=["index", "variable", "file"],
)
def test_logins_in_a_requirements_file(
    text: str, builder: str, make_site: Callable[..., Site], docker_client: docker.DockerClient
) -> None:
    site = make_site()
    site.lock(Way(settings='[tool.lambdabuild.layers.deps]\nrequirements = "requirements.txt"\n'))
    (site.project / "requirements.txt").write_text(site.filled(text).replace("PLACE", site.index.place))
    login = site.index.signed.partition("://")[2].rpartition("@")[0]
    outputs = set()
    with watched(docker_client) as seen:
        for cache in ("one", "one", "two"):  # resolved, as it was kept, and anew
            env = {"LOGIN": login, "LAMBDABUILD_CACHE_DIR": f"HOME/{cache}"}
            done = site.build("layer", "--builder", builder, env=env)
            outputs |= {done.stdout, done.stderr}
    assert marked(seen | outputs) == []
    assert set(site.marked_files()) <= {"project/requirements.txt"}


def seen_containers(seen: set[str]) -> list[str]:
    """What the engine told of containers."""
    return [text for text in seen if text.startswith("{") and '"HostConfig": {' in text]


def test_images_hold_no_login(make_site: Callable[..., Site], docker_client: docker.DockerClient) -> None:
    """After this build and those above."""
    site = make_site()
    site.lock(WAYS["UV_INDEX"], "private-one", "private-source")
    site.build("layer", "--builder", "docker", env=WAYS["UV_INDEX"].env)
    for image in docker_client.images.list():
        assert marked({json.dumps(image.history()), json.dumps(image.attrs)}) == []


@pytest.mark.parametrize(
    ("name", "builder"),  # the host builder builds no source distribution
    [("private-one", "docker"), ("private-one", "host"), ("private-source", "docker")],
)
@pytest.mark.parametrize("password", [f"{MARK}-wrong", None], ids=["wrong", "missing"])
def test_a_login_that_is_wrong_or_missing(
    name: str, password: str | None, builder: str, make_site: Callable[..., Site]
) -> None:
    site = make_site()
    site.lock(WAYS["variables of an explicit index"], name)
    env = {**OWN, "UV_INDEX_OWN_PASSWORD": password} if password else {}
    done = site.build("layer", "--builder", builder, env=env, code=4)
    error = done.stderr[done.stderr.index("error: ") :]
    assert ("403" if password else "401") in error
    assert f"  hint: {site.index.place} wants a login: UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD" in error
    assert marked({done.stdout, done.stderr}) == []


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_login_is_shown_to_the_host_that_it_was_given_for(
    builder: str, serve: Serve, make_site: Callable[..., Site]
) -> None:
    files = serve(user=f"{MARK}-other", password=f"{MARK}-pw")
    site = make_site(files=f"http://{files.place}")
    env = {"UV_INDEX": f"own=SIGNED files={files.signed}"}
    site.lock(Way(env=env), "private-one")
    site.build("layer", "--builder", builder, env=env)
    assert ("private_one-1.0-py3-none-any.whl", files.login) in files.downloads
    assert site.index.downloads == set()
    for index in (site.index, files):
        assert {login for _, login in index.asked} - {""} <= {index.login}


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_login_is_shown_to_no_other_host(builder: str, serve: Serve, make_site: Callable[..., Site]) -> None:
    files = serve(user=f"{MARK}-other", password=f"{MARK}-pw")
    site = make_site(files=f"http://{files.place}")
    site.lock(Way(env={"UV_INDEX": f"own=SIGNED files={files.signed}"}), "private-one")
    files.forget()
    done = site.build("layer", "--builder", builder, env={"UV_INDEX": "own=SIGNED"}, code=4)
    assert f"  hint: {files.place} wants a login" in done.stderr
    assert {login for _, login in files.asked} == {""}


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("names", [("SSL_CERT_FILE", "SSL_CLIENT_CERT"), ("REQUESTS_CA_BUNDLE", "PIP_CLIENT_CERT")])
def test_a_certificate_of_the_client(
    names: tuple[str, str],
    builder: str,
    certificates: Path,
    make_site: Callable[..., Site],
    docker_client: docker.DockerClient,
) -> None:
    site = make_site(tls=certificates)
    files = (str(certificates / "ca.pem"), str(certificates / "client.pem"))
    index = {"UV_DEFAULT_INDEX": "SIGNED"}
    site.lock(Way(env={**index, "SSL_CERT_FILE": files[0], "SSL_CLIENT_CERT": files[1]}), "private-one")
    no_bundles = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), "")
    site.index.forget()
    with watched(docker_client) as seen:
        done = site.build(
            "layer", "--builder", builder, env={**index, **no_bundles, **dict(zip(names, files, strict=True))}
        )
    assert site.index.downloads == {("private_one-1.0-py3-none-any.whl", site.index.login)}
    key = (certificates / "client.key").read_bytes().splitlines()[1]
    assert marked({*seen, done.stdout, done.stderr}, (*NEEDLES, key)) == []
    assert site.marked_files((*NEEDLES, key)) == []
    without = {
        **index,
        **no_bundles,
        names[0]: files[0],
        "LAMBDABUILD_CACHE_DIR": "HOME/cache",
        "UV_CACHE_DIR": "HOME/uv",
    }
    assert "certificate" in site.build("layer", "--builder", builder, env=without, code=4).stderr


def test_a_source_distribution_from_a_server_that_asks_for_a_certificate(
    certificates: Path, serve: Serve, tmp_path: Path
) -> None:
    index = serve(tls=certificates)
    file = "private_source-1.0.tar.gz"
    content = (index.log.parent / "files" / file).read_bytes()
    url = index.signed.replace("/simple/", f"/packages/{file}")
    pin = Pin(name="x", version="1", kind="sdist", url=url, sha256=hashlib.sha256(content).hexdigest())
    environ = {"PIP_CERT": str(certificates / "ca.pem"), "SSL_CLIENT_CERT": str(certificates / "client.pem")}
    store = WheelStore(Cache(tmp_path))

    def fetched(environ: dict[str, str]) -> bytes:
        tls, nobody = partial(tls_context, environ), (lambda url, username: None)
        client = Client(environ={}, credentials=Credentials, tls=tls, ask_helpers=nobody)
        return Fetcher(store=store, client=client, listen=ignore, delays=()).fetch([pin])[pin].read_bytes()

    for without in ({}, {"PIP_CERT": environ["PIP_CERT"]}):
        with pytest.raises(MachineError, match="cannot be fetched"):
            fetched(without)
    assert fetched(environ) == content


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("name", ["http_proxy", "PIP_PROXY"])
def test_a_proxy_that_wants_a_login(
    name: str, builder: str, proxy: str, make_site: Callable[..., Site], docker_client: docker.DockerClient
) -> None:
    """The index is at an address of this machine that no container reaches but through the proxy."""
    site = make_site(host="127.0.0.1")
    userinfo = ":".join(quote(word, safe="") for word in Proxy.login.split(":"))
    env = {"UV_DEFAULT_INDEX": "SIGNED", name: f"http://{userinfo}@{proxy}"}
    site.lock(Way(env={**env, "http_proxy": env[name]}), "private-one")
    cold = {**env, "LAMBDABUILD_CACHE_DIR": "HOME/cache", "UV_CACHE_DIR": "HOME/uv"}
    done = site.build("layer", "--builder", builder, env={**cold, name: f"http://{MARK}-wrong:x@{proxy}"}, code=4)
    assert marked({done.stderr}) == []
    site.index.forget()
    with watched(docker_client) as seen:
        done = site.build("layer", "--builder", builder, env=env)
    assert site.index.downloads == {("private_one-1.0-py3-none-any.whl", site.index.login)}
    assert marked({*seen, done.stdout, done.stderr}) == []
    assert site.marked_files() == []
