"""Artifacts that were built, found again and checked to be what was built."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from lambdabuild.configfile import read_runtimes
from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.manifest import file_sha256, read_manifest
from lambdabuild.model.built import choose_function, layers_of, rebuild_command
from lambdabuild.model.report import Artifact
from lambdabuild.model.target import Target, find_runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A function's archive, the layers' in their order, and what they are built for."""

    output: Path
    function: Artifact
    layers: tuple[Artifact, ...]
    target: Target

    def path(self, artifact: Artifact) -> Path:
        return self.output / artifact.file


def find_built(output: Path, name: str, *, fat: bool, configured: Collection[str]) -> Built:
    """The archives of a function; ``fat`` chooses the fat one where there are two.

    ``configured`` are the functions that have a table, for hints.

    Raises UsageError for what was not built, PolicyError for a file that is not what the manifest tells of.
    """
    artifacts = read_manifest(output)
    function = choose_function(artifacts, name, fat=fat, output=str(output), configured=configured)
    layers = layers_of(function, artifacts, configured)
    runtime = find_runtime(read_runtimes(), function.runtime)
    if runtime is None:
        raise UsageError(f"{function.file} is for {function.runtime}, which Lambda does not have", hint="build again")
    check_built((function, *layers), output, configured)
    target = Target(runtime=runtime, architecture=function.architecture)
    return Built(output=output, function=function, layers=layers, target=target)


def check_built(artifacts: Iterable[Artifact], output: Path, configured: Collection[str]) -> None:
    """Raises PolicyError for an archive that is gone or is not what the manifest tells of, UsageError for one that
    cannot be read."""
    for artifact in artifacts:
        path, again = output / artifact.file, f"build it again: {rebuild_command(artifact, configured)}"
        try:
            sha256 = file_sha256(path)
        except FileNotFoundError:
            raise PolicyError(f"{path} is gone, and the manifest tells of it", hint=again) from None
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", hint=again) from error
        if sha256 != artifact.sha256:
            raise PolicyError(
                f"{path} is not what was built: its sha256 is {sha256}, and the manifest says {artifact.sha256}",
                hint=again,
            )
