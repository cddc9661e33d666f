"""What a lock may give as an address, a commit, a name or a folder, before any of it reaches a command or a path.

A lock is a file of the project, and may be anybody's: what it holds is data. A value that a command could take for an
option, another protocol or a way out of a folder is refused, whoever wrote it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from lambdabuild.errors import BuildError
from lambdabuild.model.credentials import without_userinfo

GIT_PROTOCOLS = ("https", "http", "ssh", "git", "file")
"""How git may reach a repository; its helpers for others (``ext::``, ``fd::``) run whatever an address says."""
_FILE_SCHEMES = ("https", "http", "file")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCP = re.compile(r"[A-Za-z0-9_][\w.-]*@[A-Za-z0-9][\w.-]*:(?!:)[^\s:]+", re.ASCII)
"""``git@host:path``, as git reads it: by ssh."""
_FILENAME = re.compile(r"[\w][\w.+!~ -]*")
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f]")


def check_repository(url: str, *, owner: str) -> str:
    """The address of a git repository; raises BuildError for one that git must not be given."""
    if _SCP.fullmatch(url) or _is_url(url, GIT_PROTOCOLS):
        return url
    raise _refused(url, owner, "the address of a repository", f"a URL that begins with {_either(GIT_PROTOCOLS)}")


def check_file_url(url: str, *, owner: str) -> str:
    """The address of a file."""
    if _is_url(url, _FILE_SCHEMES):
        return url
    raise _refused(url, owner, "the address of a file", f"a URL that begins with {_either(_FILE_SCHEMES)}")


def check_commit(commit: str, *, owner: str) -> str:
    """The full id of a commit; a branch, a tag or a path is none."""
    if _COMMIT.fullmatch(commit.lower()):
        return commit.lower()
    raise _refused(commit, owner, "a commit", "its full id, 40 or 64 hexadecimal digits")


def check_sha256(sha256: str, *, owner: str) -> str:
    if _SHA256.fullmatch(sha256.lower()):
        return sha256.lower()
    raise _refused(sha256, owner, "a sha256", "64 hexadecimal digits")


def check_filename(name: str, *, owner: str) -> str:
    """The name of a file, which is written into a folder under it."""
    if _FILENAME.fullmatch(name):
        return name
    raise _refused(name, owner, "the name of a file", "a name like demo-1.0.tar.gz")


def check_subdirectory(path: str | None, *, owner: str) -> str | None:
    """A folder of a source tree, relative to its top."""
    if path is None:
        return None
    parts = PurePosixPath(path).parts
    if path.isprintable() and not path.startswith("/") and ".." not in parts and not re.search(r"[\\#&]", path):
        return path
    raise _refused(path, owner, "a subdirectory", "a folder below the top of the source tree")


def _is_url(url: str, schemes: Iterable[str]) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in schemes or "://" not in url or _UNPRINTABLE.search(url) or host.startswith("-"):
        return False
    return bool(host) or (parts.scheme == "file" and parts.path.startswith("/"))


def _either(schemes: Iterable[str]) -> str:
    *others, last = (f"{scheme}://" for scheme in schemes)
    return f"{', '.join(others)} or {last}"


def _refused(value: str, owner: str, what: str, expected: str) -> BuildError:
    return BuildError(
        f"{owner}: the lock gives {json.dumps(without_userinfo(value))} as {what}; expected {expected}",
        hint="if no tool of yours wrote this, do not use the lock; otherwise lock again",
    )
