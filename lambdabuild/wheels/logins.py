"""Logins that programs keep: what ``uv auth login`` stored, and a keyring, where uv is set up to ask one."""

from __future__ import annotations

import json
import logging
import subprocess
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lambdabuild.model.credentials import Login, without_userinfo

log = logging.getLogger(__name__)

_PATIENCE = 60.0
"""Seconds: a keyring may ask its owner to unlock it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginHelpers:
    """The programs that may know a login, asked when a server refuses."""

    uv: Path
    environ: Mapping[str, str]
    settings: Sequence[Mapping[str, Any]]
    """uv's, tables as in uv.toml."""

    def find(self, url: str, username: str = "") -> Login | None:
        """The login for a URL, of this user where one is named."""
        url = without_userinfo(url)
        return self._from_uv(url) or (self._from_keyring(url, username) if self._has_keyring else None)

    @property
    def _has_keyring(self) -> bool:
        named = self.environ.get("UV_KEYRING_PROVIDER")
        tables = [part for table in self.settings for part in (table, table.get("pip")) if isinstance(part, Mapping)]
        return (named or next((t["keyring-provider"] for t in tables if "keyring-provider" in t), "")) == "subprocess"

    def _from_uv(self, url: str) -> Login | None:
        """https://docs.astral.sh/uv/concepts/authentication/cli/; the form is that of Bazel's credential helpers."""
        answer = self._ask([str(self.uv), "auth", "helper", "--protocol", "bazel", "get"], json.dumps({"uri": url}))
        try:
            (header,) = json.loads(answer)["headers"]["Authorization"]
            scheme, _, encoded = header.partition(" ")
            username, _, password = b64decode(encoded).decode().partition(":")
        except (KeyError, TypeError, ValueError):
            return None
        return Login(username=username, password=password) if scheme.lower() == "basic" else None

    def _from_keyring(self, url: str, username: str) -> Login | None:
        """As uv asks: for the whole URL, then for its host (https://docs.astral.sh/uv/concepts/authentication/)."""
        for service in (url, urlsplit(url).netloc):
            if username:
                password = self._ask(["keyring", "get", "--", service, username]).rstrip("\r\n")
                if password:
                    return Login(username=username, password=password)
            else:
                name, _, password = self._ask(["keyring", "--mode", "creds", "get", "--", service]).partition("\n")
                if password.rstrip("\r\n"):
                    return Login(username=name.rstrip("\r"), password=password.rstrip("\r\n"))
        return None

    def _ask(self, argv: Sequence[str], stdin: str = "") -> str:
        """What a program answers; nothing where it is not there, knows nothing or does not answer."""
        try:
            done = subprocess.run(
                argv,
                input=stdin,
                env=dict(self.environ),
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            log.debug("%s: %s", argv[0], error)
            return ""
        return done.stdout if done.returncode == 0 else ""
