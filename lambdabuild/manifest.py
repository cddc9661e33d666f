"""The manifest beside the artifacts, read back: what earlier builds made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lambdabuild.errors import PolicyError
from lambdabuild.model.documents import MANIFEST_VERSION, parse_artifact
from lambdabuild.model.report import MANIFEST, Artifact

_CHUNK = 1 << 20


def read_manifest(output: Path) -> tuple[Artifact, ...]:
    """The artifacts that the folder's manifest tells of; none without one.

    Raises PolicyError for a file of that name which is not such a manifest: it may be somebody else's.
    """
    path = output / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["manifest_version"] != MANIFEST_VERSION:
            raise ValueError(f"manifest_version {document['manifest_version']} is not {MANIFEST_VERSION}")
        artifacts = tuple(parse_artifact(artifact) for artifact in document["artifacts"])
        for artifact in artifacts:
            if Path(artifact.file).name != artifact.file or not artifact.file.endswith(".zip"):
                raise ValueError(f"{artifact.file!r} is not the name of an archive")
    except FileNotFoundError:
        return ()
    except (OSError, KeyError, TypeError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise PolicyError(
            f"{path} is not a manifest that this lambdabuild reads: {problem}",
            hint="remove it, or choose another --output",
        ) from error
    return artifacts


def file_sha256(path: Path) -> str:
    """sha256 of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
