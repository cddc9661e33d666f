"""model.credentials and builders.secrets: where logins are found, which goes where, and that none is shown."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from lambdabuild import uv
from lambdabuild.builders.secrets import parse_netrc, read_credentials, read_netrc, read_settings
from lambdabuild.errors import MachineError
from lambdabuild.model.credentials import (
    Credentials,
    Login,
    gather,
    grants_in,
    login_hint,
    parse_grant,
    redacted,
    secrets_of,
    signed,
    without_userinfo,
)

FILE = "https://index.example/files/demo-1.0.whl"
ME = Login(username="me", password="secret")
YOU = Login(username="you", password="other secret")


def credentials(environ: dict[str, str], *settings: dict[str, object], **netrc: Login) -> Credentials:
    return gather(environ, settings, netrc)


@pytest.mark.parametrize(
    ("environ", "settings"),
    [
        ({"UV_INDEX": "https://me:secret@index.example/simple"}, {}),
        ({"UV_INDEX": "https://two.example/simple\n own=https://me:secret@index.example/simple"}, {}),
        ({"UV_DEFAULT_INDEX": "https://me:secret@index.example/simple"}, {}),
        ({"UV_DEFAULT_INDEX": "own=https://me:secret@index.example/simple"}, {}),
        ({"UV_EXTRA_INDEX_URL": "https://two.example/simple https://me:secret@index.example/simple"}, {}),
        ({"UV_INDEX_URL": "https://me:secret@index.example/simple"}, {}),
        ({"PIP_INDEX_URL": "https://me:secret@index.example/simple"}, {}),
        ({"PIP_EXTRA_INDEX_URL": "https://two.example/simple https://me:secret@index.example/simple"}, {}),
        (
            {
                "UV_INDEX": "my-own.1=https://index.example/simple",
                "UV_INDEX_MY_OWN_1_USERNAME": "me",
                "UV_INDEX_MY_OWN_1_PASSWORD": "secret",
            },
            {},
        ),
        (
            {"UV_INDEX_OWN_USERNAME": "me", "UV_INDEX_OWN_PASSWORD": "secret"},
            {"index": [{"name": "Own", "url": "https://index.example/simple", "explicit": True}]},
        ),
        (
            {"UV_INDEX_OWN_USERNAME": "me", "UV_INDEX_OWN_PASSWORD": "secret"},
            {"index": [{"name": "own", "url": "https://you:wrong@index.example/simple"}]},
        ),
        ({}, {"index": [{"name": "own", "url": "https://me:secret@index.example/simple"}]}),
        ({}, {"index": [{"url": "https://me:secret@index.example/simple"}]}),
        ({}, {"index-url": "https://me:secret@index.example/simple"}),
        ({}, {"pip": {"extra-index-url": ["https://me:secret@index.example/simple"]}}),
    ],
)
def test_a_login_from_every_source_that_uv_knows(environ: dict[str, str], settings: dict[str, object]) -> None:
    assert credentials(environ, settings).find(FILE) == ME


def test_a_login_from_the_url_of_a_file_and_from_netrc() -> None:
    assert Credentials().find("https://me:secret@index.example/files/demo-1.0.whl") == ME
    assert Credentials(netrc={"index.example": ME}).find(FILE) == ME
    assert Credentials(netrc={"default": ME, "other.example": YOU}).find(FILE) == ME
    assert Credentials(netrc={"other.example": YOU}).find(FILE) is None


def test_what_is_nearer_to_the_file_goes_first() -> None:
    own = "https://me:secret@index.example/files/demo-1.0.whl"
    index = {"UV_INDEX": "https://you:other%20secret@index.example/simple"}
    assert credentials(index).find(own) == ME
    assert credentials(index).find(FILE) == YOU
    assert gather(index, [], {"index.example": ME}).find(FILE) == YOU


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://index.example/files/demo-1.0.whl",
        "https://index.example:8443/files/demo-1.0.whl",
        "https://files.example/files/demo-1.0.whl",
        "https://index.example.evil.example/files/demo-1.0.whl",
        "https://evil.example/@index.example/demo-1.0.whl",
        "https://evil.example/files/demo-1.0.whl?index.example",
        "file:///index.example/files/demo-1.0.whl",
        "/index.example/files/demo-1.0.whl",
        "https://[index.example",
        "",
    ],
)
def test_a_login_goes_nowhere_else(elsewhere: str) -> None:
    found = credentials({"UV_INDEX": "https://me:secret@index.example/simple"})
    assert found.find(elsewhere) is None
    assert found.secrets([elsewhere]) == frozenset()


def test_a_name_without_its_index_gives_nothing() -> None:
    environ = {"UV_INDEX_OWN_USERNAME": "me", "UV_INDEX_OWN_PASSWORD": "secret"}
    assert credentials(environ) == Credentials()
    assert credentials(environ, {"index": [{"name": "other", "url": "https://index.example"}]}) == Credentials()
    assert credentials(environ, {"index": [{"name": "own", "url": "../wheels"}]}) == Credentials()


@pytest.mark.parametrize("url", ["https://index.example:443/simple/", "HTTPS://INDEX.example/+simple"])
def test_ports_and_letters_that_mean_the_same(url: str) -> None:
    given = url.replace("://", "://me:secret@")
    assert credentials({"UV_INDEX": given}).find(FILE) == ME


def test_several_logins_on_one_host() -> None:
    environ = {"UV_INDEX": "https://me:secret@h.example/a/simple https://you:other%20secret@h.example/b/pypi/simple/"}
    found = credentials(environ)
    urls = ["https://h.example/a/files/x.whl", "https://h.example/b/pypi/y.whl", "https://h.example/files/z.whl"]
    assert [found.find(url) for url in urls] == [ME, YOU, ME]
    assert found.find("https://h.example/bb/pypi/y.whl") == ME


def test_a_file_of_its_own_login_among_files_without() -> None:
    assert Credentials().find("https://me:secret@h.example/a.whl") == ME
    assert Credentials().find("https://h.example/b.whl") is None


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("https://token@h.example/", Login(username="token", password="")),
        ("https://token:@h.example/", Login(username="token", password="")),
        ("https://:token@h.example/", Login(username="", password="token")),
        ("https://m%40e:s%2Fe%25c%3Ar%20et@h.example/", Login(username="m@e", password="s/e%c:r et")),
        ("https://me:a:b@h.example/", Login(username="me", password="a:b")),
    ],
)
def test_tokens_and_odd_characters(url: str, login: Login) -> None:
    grant = parse_grant(url)
    assert grant is not None
    assert (grant.url, grant.login) == ("https://h.example/", login)
    again = parse_grant(f"https://{login.userinfo}h.example/")
    assert again == grant


@pytest.mark.parametrize(
    "url", ["https://h.example/", "https://@h.example/", "https://:@h.example/", "ssh://git@h.example/", "me@h", "x:y"]
)
def test_urls_without_a_login(url: str) -> None:
    assert parse_grant(url) is None


def test_a_user_name_takes_its_password_from_netrc() -> None:
    found = gather({"UV_INDEX": "https://me@index.example/simple"}, [], {"index.example": ME})
    assert found.find(FILE) == ME
    other = gather({"UV_INDEX": "https://me@index.example/simple"}, [], {"index.example": YOU})
    assert other.find(FILE) == Login(username="me", password="")
    assert Credentials(netrc={"default": ME}).find("https://me@index.example/x.whl") == ME


def test_logins_in_a_text() -> None:
    text = (
        "--extra-index-url https://me:secret@index.example/simple\ndemo @ https://you:other%20secret@h.example/d.whl\n"
    )
    text += (
        '# [[index]]\n# url = "http://token@third.example/simple"\ngit+ssh://git@h.example/x https://h.example/@x/y\n'
    )
    grants = grants_in(text)
    assert [grant.url for grant in grants] == [
        "https://index.example/",
        "https://h.example/d.whl",
        "http://third.example/",
    ]
    assert signed(FILE, grants) == "https://me:secret@index.example/files/demo-1.0.whl"
    assert signed("https://h.example/d.whl", grants) == "https://you:other%20secret@h.example/d.whl"
    assert signed("https://it:self@index.example/x", grants) == "https://it:self@index.example/x"
    assert signed("https://elsewhere.example/x", grants) == "https://elsewhere.example/x"


def test_variables_in_a_text() -> None:
    text = "--index-url https://${USER_1}:${MISSING}x${lower}@index.example/simple\n"
    (grant,) = grants_in(text, {"USER_1": "me", "lower": "x"})
    assert grant.login == Login(username="me", password="${MISSING}x${lower}")
    (grant,) = grants_in(text)
    assert grant.login.username == "${USER_1}"


def test_no_repr_shows_a_secret() -> None:
    found = gather({"UV_INDEX": "https://me:secret@index.example/simple"}, [], {"index.example": YOU})
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for url (https://me:secret@h.example/x)", "for url (https://****@h.example/x)"),
        ("for url (https://me:s@e@cret@h.example/x)", "for url (https://****@h.example/x)"),
        ("https://token@h.example https://h.example", "https://****@h.example https://h.example"),
        ("git+ssh://git@h.example/x.git", "git+ssh://git@h.example/x.git"),
        ("git+https://git@x:secret@h.example/x.git", "git+https://****@h.example/x.git"),
        ("https://h.example/@scope/x", "https://h.example/@scope/x"),
        ("mail me@h.example", "mail me@h.example"),
        ("the password is secret, or s%2Fcret or bWU6", "the password is ****, or **** or bWU6"),
    ],
)
def test_redacted(text: str, expected: str) -> None:
    assert redacted(text, {"secret", "s%2Fcret"}) == expected


def test_the_secrets_of_a_request() -> None:
    login = Login(username="me", password="s/cret")
    found = Credentials(netrc={"index.example": login})
    assert found.secrets([FILE]) == {"s/cret", "s%2Fcret", b64encode(b"me:s/cret").decode()}
    token = Credentials(netrc={"index.example": Login(username="token", password="")})
    assert found.secrets(["https://h.example"]) == frozenset()
    assert token.secrets([FILE]) == {"token", b64encode(b"token:").decode()}
    assert Credentials(netrc={"index.example": Login(username="abc", password="x")}).secrets([FILE]) == {
        b64encode(b"abc:x").decode()
    }


@pytest.mark.parametrize(
    "environ",
    [
        {"UV_INDEX": "https://me:canary-1@h.example/simple"},
        {"UV_INDEX": "https://two.example x=https://me:canary-1@h.example/simple"},
        {"UV_INDEX": "https://canary-1@h.example/simple"},
        {"UV_DEFAULT_INDEX": "https://me:canary-1/2@h.example/simple"},
        {"UV_DEFAULT_INDEX": "https://me:canary-1 2@h.example/simple"},
        {"UV_INDEX_OWN_PASSWORD": "canary-1"},
        {"HTTPS_PROXY": "socks5://me:canary-1@h.example"},
    ],
)
def test_uv_shows_urls_that_are_none_as_they_are(environ: dict[str, str]) -> None:
    said = " and ".join(f"invalid value '{value}' for something" for value in environ.values())
    assert "canary-1" not in redacted(said, secrets_of(environ))


def test_few_characters_are_not_looked_for() -> None:
    assert secrets_of({"UV_INDEX_OWN_PASSWORD": "abc", "UV_INDEX": "https://a:b@h.example"}) <= {"OmFiYw==", "YTpi"}


def test_without_userinfo() -> None:
    assert without_userinfo("https://me:secret@h.example/@x?y@z") == "https://h.example/@x?y@z"
    assert without_userinfo("git+ssh://git@h.example/x") == "git+ssh://git@h.example/x"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / ".config" / "uv").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "root" / "member").mkdir(parents=True)
    (tmp_path / "root" / "uv.lock").write_text("")
    return tmp_path / "root" / "member"


def test_netrc(home: Path) -> None:
    assert read_netrc({}, home=home) == {}
    (home / ".netrc").write_text("machine index.example\n  login me\n  password secret\n")
    assert read_netrc({}, home=home) == {"index.example": ME}
    (home / "other").write_text("default login you password x#y\n")
    named = read_netrc({"NETRC": str(home / "other")}, home=home)
    assert named == {"default": Login(username="you", password="x#y")}
    assert read_netrc({"NETRC": str(home / "missing")}, home=home) == {"index.example": ME}


def test_the_form_of_netrc() -> None:
    text = """# machine no.example login no password no
machine a.example login me password secret # trailing words
macdef init
machine no.example login no password no

machine b.example
    user "m e"
    account x
    password "s\\"e # c\\\\ret"
machine c.example login # password #hash machine d.example password onl\\ y
machine e.example login "" password ""
default login you password it's"
"""
    found = parse_netrc(text)
    assert {host: (login.username, login.password) for host, login in found.items()} == {
        "a.example": ("me", "secret"),
        "b.example": ("m e", 's"e # c\\ret'),
        "c.example": ("#", "#hash"),
        "d.example": ("", "onl y"),
        "default": ("you", "it's\""),
    }
    assert parse_netrc("") == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("login me", 1),
        ("macdef x\ny\n\nlogin me", 4),
        ("machine a.example\npasswort x", 2),
        ("machine a.example login", 1),
        ("machine", 1),
    ],
)
def test_what_is_no_netrc(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=f"^{line}$"):
        parse_netrc(text)


def test_a_malformed_netrc_is_not_shown(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / ".netrc").write_text("machine index.example login me canary-1 canary-2\n")
    assert read_netrc({}, home=home) == {}
    assert f"{home}/.netrc:1: not in the form of a netrc file" in caplog.text
    assert "canary" not in caplog.text


def test_settings_of_the_project_the_workspace_and_the_user(project: Path, home: Path) -> None:
    table = '[[tool.uv.index]]\nname = "{0}"\nurl = "https://{0}.example/simple"\n'
    (project / "pyproject.toml").write_text(table.format("member"))
    (project.parent / "pyproject.toml").write_text(table.format("root"))
    (project.parent / "uv.toml").write_text('index-url = "https://file.example/simple"')
    (home / ".config" / "uv" / "uv.toml").write_text('index-url = "https://user.example/simple"')
    (home / "else.toml").write_text('index-url = "https://else.example/simple"')
    index = [{"index": [{"name": name, "url": f"https://{name}.example/simple"}]} for name in ("member", "root")]
    project_wide = [index[0], {"index-url": "https://file.example/simple"}, index[1]]

    def read(**environ: str) -> list[object]:
        return [*read_settings(environ, project=project, home=home)]

    assert read() == [*project_wide, {"index-url": "https://user.example/simple"}]
    assert read(UV_NO_CONFIG="1") == project_wide
    assert read(UV_CONFIG_FILE=str(home / "else.toml")) == [
        *project_wide,
        {"index-url": "https://else.example/simple"},
    ]


def test_all_together(project: Path, home: Path) -> None:
    table = '[[tool.uv.index]]\nname = "own"\nurl = "https://index.example/simple"\n'
    (project / "pyproject.toml").write_text(table)
    (home / ".netrc").write_text("machine other.example login you password other\n")
    environ = {"UV_INDEX_OWN_USERNAME": "me", "UV_INDEX_OWN_PASSWORD": "secret"}
    found = read_credentials(environ, project=project, home=home)
    assert found.find(FILE) == ME
    assert found.find("https://other.example/x.whl") == Login(username="you", password="other")


@pytest.mark.parametrize(
    ("said", "host"),
    [
        (
            "error: Failed to download `demo==1.0`\n"
            "  cause: Failed to fetch: https://index.example:8443/demo.whl\n"
            "  cause: HTTP status client error (403 Forbidden) for url (https://index.example:8443/demo.whl)",
            "index.example:8443",
        ),
        (
            "hint: An index URL (https://index.example/simple) could not be queried due to a lack of valid "
            "authentication credentials (401 Unauthorized)",
            "index.example",
        ),
        ("hint: An index (https://me:canary@index.example/simple) returned a 403 Forbidden error.", "index.example"),
        ("401 Unauthorized", "the index"),
    ],
)
def test_uv_is_not_let_in(said: str, host: str) -> None:
    error = uv.failure("installing", said)
    assert type(error) is MachineError
    assert error.message == "installing failed; uv says:\n  " + redacted(said).replace("\n", "\n  ")
    assert error.hint == login_hint(host)
    assert error.hint.startswith(f"{host} wants a login: ")
    assert "canary" not in str(error)


def test_a_run_of_uv_shows_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program = tmp_path / "uv"
    program.write_text('#!/bin/sh\necho "out: $UV_INDEX $SECRET"; echo "err: $UV_INDEX and canary-pw" >&2\n')
    program.chmod(0o755)
    environ = {"UV_INDEX": "https://me:canary-1@h.example", "UV_INDEX_OWN_PASSWORD": "canary-pw"}
    with caplog.at_level("DEBUG", "lambdabuild"):
        done = uv.run(program, ("add", "https://me:canary-1@h.example/x", "canary-pw"), cwd=tmp_path, environ=environ)
    assert done.stderr == "err: https://****@h.example and ****\n"
    assert done.stdout.startswith("out: https://me:canary-1@h.example")
    assert "['" + str(program) + "', 'add', 'https://****@h.example/x', '****']" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize(("command", "index"), [("pip", "https://pip.example"), ("lock", "none"), ("export", "none")])
def test_variables_of_pip_hold_for_what_uv_does_in_its_place(command: str, index: str, tmp_path: Path) -> None:
    program = tmp_path / "uv"
    program.write_text('#!/bin/sh\necho "${UV_DEFAULT_INDEX:-none}"\n')
    program.chmod(0o755)
    done = uv.run(program, (command, "x"), cwd=tmp_path, environ={"PIP_INDEX_URL": "https://pip.example"})
    assert done.stdout == f"{index}\n"
