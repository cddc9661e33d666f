"""The manifest beside the artifacts, read back: what earlier builds made."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lambdabuild.errors import PolicyError
from lambdabuild.model.documents import MANIFEST_VERSION
from lambdabuild.model.manifestparse import parse_artifacts
from lambdabuild.model.report import MANIFEST, Artifact
from lambdabuild.placing import is_unfinished

_CHUNK = 1 << 20
_LARGEST = 64 << 20
"""Bytes of a manifest: one of a thousand artifacts with a hundred distributions each has some 20 MB."""


class NoFileError(OSError):
    """Of a path at which there is something else than a file."""


def read_manifest(output: Path) -> tuple[Artifact, ...]:
    """The artifacts that the folder's manifest tells of; none without one.

    Raises PolicyError for a file of that name which is not such a manifest: it may be somebody else's. And for a folder
    that a build was interrupted in while it published.
    """
    check_published(output)
    path = output / MANIFEST
    try:
        with open_file(path) as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ValueError(f"larger than {_LARGEST:,} bytes")
        document = json.loads(data)
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")
        if document["manifest_version"] != MANIFEST_VERSION:
            raise ValueError(f"manifest_version {document['manifest_version']!r} is not {MANIFEST_VERSION}")
        return parse_artifacts(document)
    except FileNotFoundError:
        return ()
    except KeyError as error:
        problem = f"{error.args[0]} is missing"
    except RecursionError:
        problem = "nested too deeply"
    except (OSError, ValueError) as error:
        problem = str(error.strerror if isinstance(error, OSError) else error)
    raise PolicyError(
        f"{path} is not a manifest that this lambdabuild reads: {problem}",
        hint="remove it, or choose another --output",
    )


def check_published(output: Path) -> None:
    """Raises PolicyError for a folder in which some artifacts of the last build are in their places and some not."""
    if is_unfinished(output):
        raise PolicyError(
            f"a build into {output} was interrupted while it published: some of its archives are not in their places",
            hint="build again (lambdabuild package): that finishes it first",
        )


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """A file for reading, when it is one: a pipe would be waited for, a device has no end. Raises OSError."""
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(number).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
            raise NoFileError(errno.EINVAL, f"it is {kind}", str(path))
        with open(number, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(number)


def file_sha256(path: Path) -> str:
    """sha256 of a file, hex."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
