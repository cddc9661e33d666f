"""wheels.logins: what real uv keeps, and what a keyring on PATH answers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.model.credentials import Login
from lambdabuild.uv import find_binary
from lambdabuild.wheels.logins import LoginHelpers

URL = "https://pkg.example.com/files/demo-1.0-py3-none-any.whl"
KEYRING = """#!/bin/sh
echo "$@" >> "$KEYRING_LOG"
case "$*" in
    "get -- pkg.example.com me") echo canary ;;
    "--mode creds get -- pkg.example.com") echo token; echo canary ;;
    *) exit 1 ;;
esac
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "keyring").write_text(KEYRING)
    (tmp_path / "bin" / "keyring").chmod(0o755)
    return {
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path / 'bin'}:{os.defpath}",
        "KEYRING_LOG": str(tmp_path / "asked"),
    }


def helpers(environ: dict[str, str], **settings: Any) -> LoginHelpers:
    return LoginHelpers(uv=find_binary(), environ=environ, settings=(settings,))


def asked(environ: dict[str, str]) -> list[str]:
    log = Path(environ["KEYRING_LOG"])
    return log.read_text().splitlines() if log.exists() else []


def test_what_uv_auth_login_stored(environ: dict[str, str]) -> None:
    argv = [find_binary(), "auth", "login", "https://pkg.example.com", "--username", "me", "--password", "canary"]
    subprocess.run(argv, env=environ, check=True, capture_output=True)
    assert helpers(environ).find(URL) == Login(username="me", password="canary")
    assert helpers(environ).find("https://other.example.com/demo") is None
    assert asked(environ) == []


def test_a_keyring_is_asked_only_where_uv_is_set_up_for_it(environ: dict[str, str]) -> None:
    assert helpers(environ).find(URL, "me") is None
    assert asked(environ) == []


@pytest.mark.parametrize("how", ["variable", "setting", "pip setting"])
def test_a_keyring(environ: dict[str, str], how: str) -> None:
    settings: dict[str, Any] = {}
    if how == "variable":
        environ["UV_KEYRING_PROVIDER"] = "subprocess"
    elif how == "setting":
        settings = {"keyring-provider": "subprocess"}
    else:
        settings = {"pip": {"keyring-provider": "subprocess"}}
    assert helpers(environ, **settings).find(URL.replace("://", "://me@"), "me") == Login(
        username="me", password="canary"
    )
    assert asked(environ) == [f"get -- {URL} me", "get -- pkg.example.com me"]


def test_a_keyring_that_knows_the_user_too(environ: dict[str, str]) -> None:
    environ["UV_KEYRING_PROVIDER"] = "subprocess"
    assert helpers(environ).find(URL) == Login(username="token", password="canary")


def test_a_keyring_that_is_not_there_or_knows_nothing(environ: dict[str, str]) -> None:
    environ["UV_KEYRING_PROVIDER"] = "subprocess"
    assert helpers(environ).find("https://other.example.com/x", "me") is None
    environ["PATH"] = os.defpath
    assert helpers(environ).find(URL, "me") is None
