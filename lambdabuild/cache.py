"""The cache: content-addressed segments, verified on read, written atomically, never changed; and small texts.

Anything wrong with an entry is a miss: the file is set aside and what it held is made again. The folder's name holds
the layout's version, so another version of lambdabuild never reads it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from lambdabuild.errors import MachineError
from lambdabuild.locks import held, is_held

if TYPE_CHECKING:
    from lambdabuild.model.segment import Segment

LAYOUT = "v2"
_CACHEDIR_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This folder holds what lambdabuild can build again: https://bford.info/cachedir/
"""
_SCRATCH = "scratch-"


def default_root(environ: Mapping[str, str], *, home: Path, platform: str) -> Path:
    """Where the cache lies: LAMBDABUILD_CACHE_DIR, or the platform's folder for caches.

    https://specifications.freedesktop.org/basedir-spec/latest/ for Linux.
    """
    if environ.get("LAMBDABUILD_CACHE_DIR"):
        return Path(environ["LAMBDABUILD_CACHE_DIR"]).absolute()
    if platform == "darwin":
        return home / "Library" / "Caches" / "lambdabuild"
    if platform == "win32" and environ.get("LOCALAPPDATA"):
        return Path(environ["LOCALAPPDATA"]) / "lambdabuild" / "Cache"
    base = environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else home / ".cache") / "lambdabuild"


@dataclass(frozen=True, slots=True)
class Cache:
    """Segments by key below a folder of the user's."""

    root: Path

    @property
    def locks(self) -> Path:
        """Where locks of other things than segments lie."""
        return self.root / "locks"

    def ensure(self) -> None:
        """Make the folder; raises MachineError when it cannot be written."""
        try:
            self.segments.mkdir(parents=True, exist_ok=True)
            tag = self.root / "CACHEDIR.TAG"
            if not tag.exists():
                tag.write_text(_CACHEDIR_TAG)
        except OSError as error:
            raise MachineError(
                f"the cache folder {self.root} cannot be written: {error.strerror}",
                hint="set LAMBDABUILD_CACHE_DIR to a folder that can",
            ) from error

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A temporary folder on the cache's disk; what killed builds left is removed first.

        It is removed in a thread of its own, beside what follows the ``with`` block.
        """
        for lock in self.version.glob(f"{_SCRATCH}*.lock"):
            if not is_held(lock):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        folder = self.version / f"{_SCRATCH}{os.urandom(8).hex()}"
        lock = folder.with_suffix(".lock")
        holding = ExitStack()
        holding.enter_context(held(lock))

        def remove() -> None:
            with holding:
                shutil.rmtree(folder, ignore_errors=True)
                lock.unlink(missing_ok=True)

        try:
            folder.mkdir()
            yield folder
        finally:
            Thread(target=remove, name=f"remove {folder.name}").start()

    def in_use(self, *, waiting: Callable[[], None] = lambda: None) -> AbstractContextManager[None]:
        """For as long as entries that were found are read: nothing is removed from the cache."""
        return held(self.usage_lock, waiting=waiting, shared=True)

    @contextmanager
    def building(self, keys: Iterable[str], *, waiting: Callable[[], None]) -> Iterator[None]:
        """Alone with these keys: of builds that want one of them, one makes it and the others wait, to find it then.

        There is one lock for all keys that begin alike, taken in the order of their names, so that no two wait for
        each other.
        """
        folder = self.version / "locks"
        folder.mkdir(exist_ok=True)
        with ExitStack() as stack:
            for stripe in sorted({key[:2] for key in keys}):
                stack.enter_context(held(folder / f"{stripe}.lock", waiting=waiting))
            yield

    def find(self, key: str, *, whole: bool = True, used: bool = True) -> Segment | None:
        """The segment of a key, or None; without ``whole`` its data is not checked, and must not be copied.

        What is ``used`` now is pruned after what is not.
        """
        from lambdabuild.segmentfile import DamagedSegmentError, read_segment  # not for a build that is unchanged

        path = self._path(key)
        try:
            with path.open("rb") as file:
                try:
                    segment = read_segment(file, path, key, whole=whole)
                except DamagedSegmentError:
                    self._set_aside(path, file.fileno())
                    return None
        except FileNotFoundError:
            return None
        except OSError:
            self._set_aside(path)
            return None
        if used:
            with suppress(OSError):  # a cache that others keep may be read only
                os.utime(path)
        return segment

    def store(self, key: str, segment: Segment) -> Segment:
        """Write a segment and return it as it lies in the cache, its members pointing into the file."""
        from lambdabuild.segmentfile import write_segment

        path = self._path(key)
        try:
            path.parent.mkdir(exist_ok=True)
            new = path.with_name(f".new-{os.urandom(8).hex()}")
            try:
                with new.open("x+b") as file:
                    write_segment(file, key, segment)
                new.replace(path)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise MachineError(
                f"{segment.name} {segment.version} cannot be written to the cache {self.root}: {error.strerror}",
                hint="free some disk space, or set LAMBDABUILD_CACHE_DIR to another disk",
            ) from error
        stored = self.find(key, whole=False)  # what was hashed while it was written
        if stored is None:
            raise MachineError(f"{path} did not read back as it was written", hint="check the disk")
        return stored

    def find_text(self, kind: str, key: str, *, used: bool = True) -> str | None:
        """A text of some kind (``resolutions`` …) that was kept under a key, or None.

        It begins with a digest of itself and of its place: what was damaged, or kept for something else, is a miss.
        """
        path = self.version / kind / key
        try:
            with path.open("rb") as file:
                digest, _, text = file.read().partition(b"\n")
                if digest != _text_digest(kind, key, text):
                    self._set_aside(path, file.fileno())
                    return None
        except OSError:
            return None
        if used:
            with suppress(OSError):
                os.utime(path)
        return text.decode()

    def store_text(self, kind: str, key: str, text: str) -> None:
        """Keep a text; it can be had again, so a disk that does not take it is no error."""
        folder = self.version / kind
        new = folder / f".new-{os.urandom(8).hex()}"
        content = text.encode()
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                new.write_bytes(_text_digest(kind, key, content) + b"\n" + content)
                new.replace(folder / key)
            finally:
                new.unlink(missing_ok=True)

    @property
    def usage_lock(self) -> Path:
        """Shared by builds that read entries, held alone by what removes them."""
        return self.version / "in-use.lock"

    @property
    def version(self) -> Path:
        """The folder of this layout."""
        return self.root / LAYOUT

    @property
    def segments(self) -> Path:
        return self.version / "segments"

    def _path(self, key: str) -> Path:
        return self.segments / key[:2] / f"{key}.segment"

    def _set_aside(self, path: Path, opened: int | None = None) -> None:
        """Out of the way, unless another build has put a new file in its place since it was opened."""
        with suppress(OSError):  # in a cache that cannot be written it stays, and stays a miss
            if opened is None or os.path.samestat(os.fstat(opened), path.stat()):
                path.replace(path.with_suffix(".damaged"))


def _text_digest(kind: str, key: str, text: bytes) -> bytes:
    return hashlib.sha256(b"\0".join((kind.encode(), key.encode(), text))).hexdigest().encode()
