"""Writing artifacts so that the output folder holds the old ones or the new ones, complete, and never anything else."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import field, replace
from pathlib import Path

from lambdabuild import __version__
from lambdabuild.errors import MachineError, UsageError
from lambdabuild.locks import held
from lambdabuild.manifest import file_sha256, read_manifest
from lambdabuild.model.documents import manifest_document
from lambdabuild.model.report import MANIFEST, Artifact
from lambdabuild.model.segment import Member
from lambdabuild.placing import finish, place
from lambdabuild.values import dataclass
from lambdabuild.zipformat import write_zip

_STAGE = ".lambdabuild-"
_LOCK = ".lambdabuild.lock"
_TRIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An archive that stands on the disk."""

    sha256: str
    """Hex."""
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What came of the archives of earlier builds: see ``Report``."""

    unconfigured: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]


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
            message = f"{self.output / file} cannot be written: {error.strerror}"
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise MachineError(message) from error
            hint = "free some disk space, or choose another folder with --output"
            raise MachineError(message, hint=hint, code="disk-full") from error
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
        self,
        artifacts: Collection[Artifact],
        *,
        clean: bool,
        vouched: Callable[[Artifact], bool] = lambda _: False,
        configured: Callable[[Artifact], bool] = lambda _: True,
    ) -> Published:
        """Move the archives that were written to their places, and write the manifest: these artifacts and, unless
        ``clean``, the earlier ones that still stand, of which those that are ``vouched`` for are not read. ``clean``
        removes the earlier ones.

        Raises UsageError, before anything is moved, when a folder stands where an archive goes.
        """
        made = {artifact.file for artifact in artifacts}
        check_places(self.output, made)
        anew = {(artifact.kind, artifact.name) for artifact in artifacts}
        earlier = [artifact for artifact in self.earlier if artifact.file not in made]
        others = [] if clean else [one for one in earlier if (one.kind, one.name) not in anew]
        stands = (one for one in others if vouched(one) or _stands(self.output, one))
        kept = [replace(one, configured=configured(one)) for one in stands]
        there = [one for one in earlier if (self.output / one.file).is_file()]
        removed = [one.file for one in there] if clean else []
        document = manifest_document([*artifacts, *kept], version=__version__)
        (self.folder / MANIFEST).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        for file in self.borrowed:
            (self.folder / file).unlink()
        place(self.folder, self.output, remove=removed)
        return Published(
            unconfigured=tuple(one.file for one in kept if not one.configured),
            replaced=tuple(one.file for one in there if not clean and (one.kind, one.name) in anew),
            removed=tuple(removed),
        )


def check_places(output: Path, files: Iterable[str]) -> None:
    """Raises UsageError where a folder stands where an archive goes."""
    for file in sorted(files):
        if _exists(output / file) and (output / file).is_dir():
            raise UsageError(
                f"{output / file} is a folder, and an artifact goes there",
                hint="remove it, or choose another place with --output",
            )


@contextmanager
def staging(output: Path, *, waiting: Callable[[], None]) -> Iterator[Stage]:
    """The stage of an output folder, held by one build at a time; what an interrupted build began to publish is
    published first, whatever else is left of others is removed.

    Raises UsageError, before anything is built, when the folder cannot be written, PolicyError when it holds somebody
    else's manifest.json. A folder that was made for nothing is removed again.
    """
    made = [folder for folder in (output, *output.parents) if not _exists(folder)]
    try:
        with ExitStack() as stack:
            try:
                _lock(output, stack, waiting)
                finish(output)
                folder = _make_stage(output)
            except OSError as error:
                raise _unwritable(output, error) from error
            try:
                yield Stage(output, folder, read_manifest(output))
            finally:
                finish(output)  # after an interrupt while it was published
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        with suppress(OSError):
            for empty in made:
                empty.rmdir()


def _lock(output: Path, stack: ExitStack, waiting: Callable[[], None]) -> None:
    """Hold the lock of the folder, which is made where it is not there, until the end of the stack. The lock is a file
    in it as long as somebody holds it, so it is one for all caches and for all ways to write the folder."""
    for left in reversed(range(_TRIES)):
        output.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(held(output / _LOCK, waiting=waiting))
        except FileNotFoundError:  # a build that made the folder for nothing removed it just now
            if not left:
                raise
        else:
            stack.callback((output / _LOCK).unlink, missing_ok=True)
            return


def _make_stage(output: Path) -> Path:
    for stale in output.glob(f"{_STAGE}*"):
        shutil.rmtree(stale, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_STAGE, dir=output))


def _unwritable(output: Path, error: OSError) -> UsageError:
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        there = next(path for path in (output, *output.parents) if os.path.lexists(path))
        what = "a link to nothing" if not there.exists() else "a file"
        where = "the output folder" if there == output else f"a folder of the output {output}"
        return UsageError(
            f"{there} is {what}, and {where} goes there", hint="remove it, or choose another folder with --output"
        )
    mend = ", or mend its permissions" if error.errno in (errno.EACCES, errno.EPERM) else ""
    return UsageError(
        f"the output folder {output} cannot be written: {error.strerror}", hint=f"choose another with --output{mend}"
    )


def _exists(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError:  # above it is a folder that may not be entered, or its name is too long: making it will tell
        return False


def _stands(output: Path, artifact: Artifact) -> bool:
    path = output / artifact.file
    return path.is_file() and path.stat().st_size == artifact.zipped_size and file_sha256(path) == artifact.sha256
