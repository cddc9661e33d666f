"""The cache: what was made once, by kind and key, verified on read, written atomically, never changed; and wheels.

Anything wrong with an entry is a miss: the file is set aside and what it held is made again. The folder's name holds
the layout's version, so another version of lambdabuild never reads it.
"""

from __future__ import annotations

import atexit
import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

from lambdabuild.errors import MachineError
from lambdabuild.locks import held

LAYOUT = "v3"
DAMAGED = ".damaged"
"""The ending of what was set aside."""
_CACHEDIR_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This folder holds what lambdabuild can build again: https://bford.info/cachedir/
"""
WHEELS = "wheels"
"""The folder of distribution files, each named by its sha256, in folders by its first two digits."""
PARTIAL = ".partial"
"""The ending of such a file that has not come in whole: it is gone on with, or pruned."""
KEPT_AT = 65
"""Bytes before what is kept: its digest, and the end of the line."""
_LOCKS = "locks"
_PAGE = 4096
"""Bytes that a disk has to take."""

T = TypeVar("T")


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


class Cache:
    """What is kept below a folder of the user's.

    Where that cannot be written, a temporary folder takes what is new for as long as this process runs; what lies in
    the user's is read all the same.
    """

    def __init__(self, root: Path, *, notice: Callable[[str], None] = lambda text: None) -> None:
        """``notice`` tells the user, once, that nothing can be kept."""
        self.root = root
        self._notice = notice
        self._instead: Path | None = None
        """The temporary folder."""
        self._moving = Lock()

    @property
    def locks(self) -> Path:
        """Where locks lie."""
        return (self._instead or self.root) / _LOCKS

    def ensure(self) -> None:
        """Make the folder, and see that it can be written; raises MachineError when no other one can."""
        self.write(_make_ready)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A temporary folder on the cache's disk, or where there is room; what killed builds left is removed first.

        It is removed in a thread of its own, beside what follows the ``with`` block.
        """
        from lambdabuild.scratch import make_scratch, with_room  # not for a build that is unchanged

        folder, remove = self.write(lambda root: make_scratch(with_room(root / LAYOUT)))
        try:
            yield folder
        finally:
            Thread(target=remove, name=f"remove {folder.name}").start()

    @contextmanager
    def in_use(self, *, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """For as long as entries are read and written: nothing is removed from the cache."""
        with ExitStack() as stack:
            with suppress(OSError):  # nobody removes anything where the lock cannot be had
                self.usage_lock.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(held(self.usage_lock, waiting=waiting, shared=True))
            self.ensure()
            yield

    @contextmanager
    def building(self, keys: Collection[str], *, waiting: Callable[[], None]) -> Iterator[None]:
        """Alone with these keys: of builds that want one of them, one makes it and the others wait, to find it then."""
        from lambdabuild.claims import claimed  # not for a build that is unchanged

        with ExitStack() as stack:
            self.write(lambda root: stack.enter_context(claimed(root / _LOCKS, keys, waiting=waiting)))
            yield

    def find_text(self, kind: str, key: str, *, used: bool = True) -> str | None:
        """A text of some kind (``resolutions`` …) that was kept under a key, or None."""
        content = self.find_bytes(kind, key, used=used)
        return None if content is None else content.decode()

    def find_bytes(self, kind: str, key: str, *, used: bool = True) -> bytes | None:
        """What was kept under a key of its kind, or None.

        It begins with a digest of itself and of its place: what was damaged, or kept for something else, is a miss.
        """
        path = self.path(kind, key)
        try:
            with path.open("rb") as file:
                digest, _, content = file.read().partition(b"\n")
                if digest != _digest(kind, key, content):
                    self.set_aside(path, file.fileno())
                    return None
        except OSError:
            return None
        if used:
            with suppress(OSError):
                os.utime(path)
        return content

    def path(self, kind: str, key: str) -> Path:
        """The file of what is kept under a key; the content begins at ``KEPT_AT``."""
        return self.version / kind / key

    def store_text(self, kind: str, key: str, text: str) -> None:
        """Keep a text; it can be had again, so a disk that does not take it is no error."""
        self.store_bytes(kind, key, text.encode())

    def store_bytes(self, kind: str, key: str, content: bytes) -> None:
        """Keep what can be had again."""
        folder = self.version / kind
        new = folder / f".new-{os.urandom(8).hex()}"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                new.write_bytes(b"".join((_digest(kind, key, content), b"\n", content)))
                new.replace(folder / key)
            finally:
                new.unlink(missing_ok=True)

    def keep_log(self, name: str, text: str) -> Path | None:
        """Keep what a program said under a name, for a person to read, and tell where; None where that cannot be."""
        with suppress(OSError):
            self.logs.mkdir(parents=True, exist_ok=True)
            log = self.logs / f"{name}.log"
            log.write_text(text, encoding="utf-8", errors="replace")
            return log
        import tempfile

        with suppress(OSError):
            file, path = tempfile.mkstemp(prefix=f"lambdabuild-{name}-", suffix=".log")
            os.close(file)
            Path(path).write_text(text, encoding="utf-8", errors="replace")
            return Path(path)
        return None

    @property
    def logs(self) -> Path:
        """What programs said that failed."""
        return self.root / "logs"

    @property
    def usage_lock(self) -> Path:
        """Shared by builds that use entries, held alone by what removes them."""
        return self.root / _LOCKS / "in-use.lock"

    @property
    def writable(self) -> bool:
        """Whether the user's folder takes what is new, as far as it was tried."""
        return self._instead is None

    @property
    def version(self) -> Path:
        """The folder of this layout."""
        return self.root / LAYOUT

    @property
    def roots(self) -> tuple[Path, ...]:
        """Where entries are looked for; what is new goes below the first."""
        return (self.root,) if self._instead is None else (self._instead, self.root)

    def write(self, write: Callable[[Path], T]) -> T:
        """Write below the root or, where that cannot be, below a temporary one from now on; raises MachineError where
        that cannot be either."""
        root = self.roots[0]
        try:
            return write(root)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            return self.move(error, write)

    def move(self, why: OSError, write: Callable[[Path], T]) -> T:
        """Write below a temporary root, from now on, because of what became of the user's."""
        from lambdabuild.scratch import make_scratch, temporary_folder

        try:
            with self._moving:
                if self._instead is None:
                    self._instead, remove = make_scratch(temporary_folder())
                    atexit.register(remove)
                    self._notice(
                        f"the cache folder {self.root} cannot be written ({why.strerror}): this build goes on without "
                        "it, and keeps nothing for the next (LAMBDABUILD_CACHE_DIR sets another folder)"
                    )
                    _make_ready(self._instead)
            return write(self._instead)
        except OSError as error:
            raise MachineError(
                f"neither the cache folder {self.root} ({why.strerror}) nor a temporary one ({error.strerror}) can be "
                "written",
                hint="free some disk space, or set LAMBDABUILD_CACHE_DIR to a folder that can be written",
            ) from error

    def set_aside(self, path: Path, opened: int | None = None) -> None:
        """Out of the way, unless another build has put a new file in its place since it was opened."""
        with suppress(OSError):  # in a cache that cannot be written it stays, and stays a miss
            if opened is None or os.path.samestat(os.fstat(opened), path.stat()):
                path.replace(path.with_suffix(DAMAGED))


def _make_ready(root: Path) -> None:
    for folder in (root / _LOCKS, root / LAYOUT):
        folder.mkdir(parents=True, exist_ok=True)
    tag = root / "CACHEDIR.TAG"
    if not tag.exists():
        tag.write_text(_CACHEDIR_TAG)
    trial = root / LAYOUT / f".new-{os.urandom(8).hex()}"
    try:
        trial.write_bytes(bytes(_PAGE))
    finally:
        trial.unlink(missing_ok=True)


def _digest(kind: str, key: str, content: bytes) -> bytes:
    digest = hashlib.sha256(f"{kind}\0{key}\0".encode())
    digest.update(content)
    return digest.hexdigest().encode()
