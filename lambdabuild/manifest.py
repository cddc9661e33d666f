"""The manifest beside the artifacts, read back: what earlier builds made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lambdabuild.errors import PolicyError
from lambdabuild.model.report import MANIFEST, MANIFEST_VERSION, Artifact, parse_artifact

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
        if any(Path(artifact.file).name != artifact.file for artifact in artifacts):
            raise ValueError("a path leaves the folder")
    except FileNotFoundError:
        return ()
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyError(
            f"{path} is not a manifest that this lambdabuild reads: {error}",
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
