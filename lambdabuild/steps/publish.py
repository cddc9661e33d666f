"""Writing artifacts so that the output folder holds the old ones or the new ones, complete, and never anything else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lambdabuild import __version__
from lambdabuild.errors import MachineError, UsageError
from lambdabuild.locks import held
from lambdabuild.manifest import file_sha256, read_manifest
from lambdabuild.model.documents import manifest_document
from lambdabuild.model.report import MANIFEST, Artifact
from lambdabuild.model.segment import Member
from lambdabuild.zipformat import write_zip

_STAGE = ".lambdabuild-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An archive that stands on the disk."""

    sha256: str
    """Hex."""
    size: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder beside the artifacts in which the new ones are complete before they take their places."""

    output: Path
    folder: Path
    earlier: tuple[Artifact, ...]
    """What the manifest of earlier builds tells of."""
    borrowed: set[str] = field(default_factory=set)
    """Archives that are here only to be read."""

    def write(self, file: str, members: Iterable[Member], *, epoch: int | None) -> Written:
        """Write an archive, and read it back.

        Raises MachineError when the disk is full or gives other bytes than were written.
        """
        path = self.folder / file
        try:
            with path.open("xb") as out:
                claimed = write_zip(out, members, epoch=epoch)
                out.flush()
                os.fsync(out.fileno())
            found = file_sha256(path)
        except OSError as error:
            raise MachineError(f"{self.output / file} cannot be written: {error.strerror}") from error
        if found != claimed:
            raise MachineError(f"{self.output / file} did not read back as it was written", hint="check the disk")
        return Written(sha256=claimed, size=path.stat().st_size)

    def borrow(self, file: str) -> None:
        """Have an archive that stands in the output folder here, too, for as long as the stage lasts."""
        if (self.folder / file).exists():
            return
        try:
            os.link(self.output / file, self.folder / file)
        except OSError:  # a disk without hard links
            shutil.copyfile(self.output / file, self.folder / file)
        self.borrowed.add(file)

    def commit(
        self, artifacts: Collection[Artifact], *, clean: bool, vouched: Callable[[Artifact], bool] = lambda _: False
    ) -> None:
        """Move the archives that were written to their places, and write the manifest: these artifacts and, unless
        ``clean``, the earlier ones that still stand, of which those that are ``vouched`` for are not read. ``clean``
        removes the earlier ones.

        Raises UsageError, before anything is moved, when a folder stands where an archive goes.
        """
        made = {artifact.file for artifact in artifacts}
        written = {file for file in made if file not in self.borrowed and (self.folder / file).exists()}
        for file in sorted(written):
            if (self.output / file).is_dir():
                raise UsageError(
                    f"{self.output / file} is a folder, and an artifact goes there",
                    hint="remove it, or choose another folder with --output",
                )
        earlier = [artifact for artifact in self.earlier if artifact.file not in made]
        kept = [] if clean else [one for one in earlier if vouched(one) or _stands(self.output, one)]
        manifest = self.folder / MANIFEST
        document = manifest_document([*artifacts, *kept], version=__version__)
        manifest.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        for name in (*sorted(written), MANIFEST):
            (self.folder / name).replace(self.output / name)
        if clean:
            for artifact in earlier:
                (self.output / artifact.file).unlink(missing_ok=True)


@contextmanager
def staging(output: Path, *, locks: Path, waiting: Callable[[], None]) -> Iterator[Stage]:
    """The stage of an output folder, held by one build at a time; whatever is left in it is removed.

    Raises UsageError, before anything is built, when the folder cannot be written, PolicyError when it holds somebody
    else's manifest.json. A folder that was made for nothing is removed again.
    """
    locks.mkdir(parents=True, exist_ok=True)
    lock = locks / f"{hashlib.sha256(os.fsencode(output.resolve())).hexdigest()[:32]}.lock"
    made = [folder for folder in (output, *output.parents) if not _exists(folder)]
    try:
        with held(lock, waiting=waiting):
            folder = _make_stage(output)
            try:
                yield Stage(output, folder, read_manifest(output))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        with suppress(OSError):
            for empty in made:
                empty.rmdir()


def _make_stage(output: Path) -> Path:
    try:
        output.mkdir(parents=True, exist_ok=True)
        for stale in output.glob(f"{_STAGE}*"):
            shutil.rmtree(stale, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=_STAGE, dir=output))
    except OSError as error:
        raise UsageError(
            f"the output folder {output} cannot be written: {error.strerror}",
            hint="choose another with --output, or mend its permissions",
        ) from error


def _exists(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError:  # above it is a folder that may not be entered, or its name is too long: making it will tell
        return False


def _stands(output: Path, artifact: Artifact) -> bool:
    path = output / artifact.file
    return path.is_file() and path.stat().st_size == artifact.zipped_size and file_sha256(path) == artifact.sha256
