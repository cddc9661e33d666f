"""The store of distribution files: wheels and source distributions by their sha256, never changed.

A file's name is its proof: whoever reads a whole file can tell whether it is the right one, so a store may be shared
between machines and users. A file is checked while it comes in, and only then gets its name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import field
from functools import partial
from io import RawIOBase
from pathlib import Path

from lambdabuild.cache import LAYOUT, PARTIAL, WHEELS, Cache
from lambdabuild.errors import MachineError
from lambdabuild.manifest import file_sha256
from lambdabuild.values import dataclass

_CHUNK = 1 << 20


class WrongDigestError(Exception):
    """A file that came in is not the one that was asked for; ``computed`` is the sha256 that it has."""

    def __init__(self, computed: str) -> None:
        super().__init__(computed)
        self.computed = computed


@dataclass(slots=True)
class Incoming:
    """A file on its way into the store, to which bytes are added in their order."""

    file: RawIOBase
    move: Callable[[OSError], RawIOBase]
    """Gives another file where a disk does not take more; raises the error where there is none."""
    size: int = 0
    """Bytes so far, those of an earlier attempt that broke off included."""
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def write(self, chunk: bytes) -> None:
        """Add bytes; raises MachineError when no disk takes them."""
        with _disk_errors():
            try:
                _write(self.file, chunk)
            except OSError as error:
                full, self.file = self.file, self.move(error)
                self.file.truncate(0)
                full.seek(0)
                for left in range(self.size, 0, -_CHUNK):
                    _write(self.file, full.read(min(left, _CHUNK)) or b"")
                full.close()
                _write(self.file, chunk)
        self.digest.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Forget what came so far."""
        self.file.seek(0)
        self.file.truncate()
        self.size, self.digest = 0, hashlib.sha256()


@dataclass(frozen=True, slots=True)
class WheelStore:
    """Distribution files below a folder of the cache."""

    cache: Cache

    def find(self, sha256: str) -> Path | None:
        """Where a file lies, or None; what is found was used now, and is pruned after what was not."""
        for folder in self._folders:
            path = folder / sha256[:2] / sha256
            if path.is_file():
                with suppress(OSError):  # a store that others keep may be read only
                    os.utime(path)
                return path
        return None

    def path(self, sha256: str) -> Path:
        """Where a file comes to lie."""
        return self._folders[0] / sha256[:2] / sha256

    @property
    def _folders(self) -> list[Path]:
        return [_folder(root) for root in self.cache.roots]

    @contextmanager
    def receive(self, sha256: str, *, waiting: Callable[[], None] = lambda: None) -> Iterator[Incoming | None]:
        """A file comes in within the ``with`` block, and is in the store when that has ended well.

        Of builds that lack the same file one receives it; the others wait, and are given None. What broke off stays,
        and is gone on with the next time. Raises WrongDigestError when another file came, and MachineError when the
        disk does not take it.
        """
        with self.cache.building([sha256], waiting=waiting):
            if self._find_whole(sha256, alone=True) is not None:
                yield None
                return
            incoming = Incoming(self.cache.write(partial(_open_partial, sha256)), partial(self._move, sha256))
            try:
                with _disk_errors():
                    incoming.file.seek(0)
                    while chunk := incoming.file.read(_CHUNK):
                        incoming.digest.update(chunk)
                        incoming.size += len(chunk)
                yield incoming
                unfinished = self._partial(sha256)
                with _disk_errors():
                    if (computed := incoming.digest.hexdigest()) != sha256:
                        unfinished.unlink(missing_ok=True)
                        raise WrongDigestError(computed)
                    unfinished.chmod(0o444)
                    unfinished.replace(self.path(sha256))
            finally:
                with suppress(OSError):  # what could not be written is told already
                    incoming.file.close()

    def _move(self, sha256: str, error: OSError) -> RawIOBase:
        """A full disk is no reason not to build: what is new lies below the cache's temporary root from now on."""
        unfinished = _folder(self.cache.root) / sha256[:2] / (sha256 + PARTIAL)
        if not unfinished.exists():  # it lies there already
            raise error
        file = self.cache.move(error, partial(_open_partial, sha256))
        unfinished.unlink()
        return file

    def received(self, sha256: str) -> int:
        """How many bytes of a file have come in."""
        for path in (self.path(sha256), self._partial(sha256)):
            with suppress(OSError):
                return path.stat().st_size
        return 0

    def add(self, sha256: str, chunks: Iterable[bytes]) -> Path:
        """Take a file that is at hand; raises what ``receive`` raises."""
        with self.receive(sha256) as incoming:
            if incoming is not None:
                incoming.restart()
                for chunk in chunks:
                    incoming.write(chunk)
        return self.find(sha256) or self.path(sha256)

    def _partial(self, sha256: str) -> Path:
        return self.path(sha256).with_name(sha256 + PARTIAL)

    def find_whole(self, sha256: str) -> Path | None:
        """Where a file lies, every byte of it checked; one that was damaged is set aside, and is none."""
        return self._find_whole(sha256, alone=False)

    def _find_whole(self, sha256: str, *, alone: bool) -> Path | None:
        """``alone``: nobody else brings or sets aside this file now."""
        path = self.find(sha256)
        with suppress(FileNotFoundError):  # another build may set it aside just now
            if path is None or file_sha256(path) == sha256:
                return path
            if alone:
                self.cache.set_aside(path)
                return None
            with self.cache.building([sha256], waiting=lambda: None):
                return self._find_whole(sha256, alone=True)
        return None


def _folder(root: Path) -> Path:
    return root / LAYOUT / WHEELS


def _open_partial(sha256: str, root: Path) -> RawIOBase:
    """The file into which bytes come, below a root of the cache."""
    folder = _folder(root) / sha256[:2]
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / (sha256 + PARTIAL)).open("a+b", buffering=0)


def _write(file: RawIOBase, chunk: bytes) -> None:
    """All of it: a disk may take a part."""
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) or 0 :]


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"the wheel store cannot be written: {error.strerror}",
            hint="free some disk space, or set LAMBDABUILD_CACHE_DIR to another disk",
        ) from error
