"""The words that options and configuration choose from; apart, because a build that is unchanged needs nothing else."""

from __future__ import annotations

from typing import Literal

ARCHITECTURES = ("x86_64", "arm64")
BUILDERS = ("auto", "docker", "host")
"""How to build for a target: in its image, on this machine, or in the image where it can be had."""

Upload = Literal["direct", "s3"]
"""How archives come to Lambda; where nothing says it None stands for it."""
UPLOADS: tuple[Upload, ...] = ("direct", "s3")
