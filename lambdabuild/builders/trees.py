"""Source trees of distributions that no index serves: a folder of the project, or a commit of a repository.

They are read on the host and copied to where they are built, so that a build leaves nothing in the user's folders.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lambdabuild import configfile
from lambdabuild.builders.git import check_out
from lambdabuild.errors import UsageError
from lambdabuild.ledger import note
from lambdabuild.model.requirements import Pin
from lambdabuild.model.scm import find_scm_version, pretended
from lambdabuild.repository import Tracked, find_tracked, read_tracked

TreeFile = tuple[str, int, bytes]
"""Path relative to the tree, mode, content."""

_TOOLS = frozenset({".git", ".hg", ".svn", ".bzr", "__pycache__"})
"""Version control, and bytecode that any interpreter writes again."""
_LEFTOVERS = re.compile(r"(src/)?[^/]+\.egg-info|build/(lib|(lib|bdist|temp)\.[^/]+)")
"""What setuptools left of an earlier build, and would take for part of the next one."""
_SPECIAL = re.compile(r"[\s*?\[\]{}]")
"""What has a meaning in a line of MANIFEST.in."""
_MARKS = {"pyvenv.cfg": b"", "CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55"}
"""What makes a folder a virtual environment, or a cache (https://bford.info/cachedir/), and how it begins."""
_GITIGNORE = ".gitignore"


def folder_entries(*names: str) -> list[TreeFile]:
    """Entries of folders for their owner alone."""
    return [(f"{name}/", 0o700, b"") for name in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInput:
    """What the build of one distribution starts from."""

    files: tuple[TreeFile, ...]
    path: str
    """The folder that is to be built, among the files."""


def build_input(
    pin: Pin,
    environ: Mapping[str, str],
    *,
    without: Path | None = None,
) -> BuildInput:
    """The source tree of a pin of a folder or a commit; git gets the environment. The tree of a folder comes
    ``without`` a folder in it that is lambdabuild's own.

    Raises MachineError when there is no git, BuildError when git does not give the commit, UsageError for what cannot
    be read.
    """
    # What lies above the place of a build is none of its business: backends find this .gitignore first.
    above = (_GITIGNORE, 0o644, ignore_file(Path(pin.path)) if pin.path is not None else b"")
    tree = _read_tree(pin, environ, without=without)
    files = (above, *((f"tree/{path}", mode, content) for path, mode, content in tree))
    return BuildInput(files=files, path=f"tree/{pin.subdirectory}" if pin.subdirectory else "tree")


def build_environment(pin: Pin) -> dict[str, str]:
    """What a build is told: a fixed time, and the version in place of the one that version control would tell."""
    told = pin.kind in ("commit", "folder") and pin.version is not None
    return {"SOURCE_DATE_EPOCH": "315532800", **(pretended(pin.name, pin.version or "") if told else {})}


def read_folder(folder: Path, *, within: Path | None = None, without: Path | None = None) -> Iterator[TreeFile]:
    """The files of a folder in the order of their paths: all that its build may put into a wheel.

    Left out are version control, virtual environments and caches, known by what is in them and not by their names,
    what an earlier build wrote of the distribution's metadata, and the folder ``without``, which is lambdabuild's own.
    Symbolic links are followed, but for those that dangle, lead back, or lead out of ``within``, the top of a tree
    that is not the user's. Raises UsageError for what cannot be read.
    """
    own = without.resolve() if without is not None else None

    def walk(directory: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[TreeFile]:
        if within is None:
            note(directory)
        items = sorted(os.scandir(directory), key=lambda item: os.fsencode(item.name))
        if prefix and any(_marks(item) for item in items):
            return
        for item in items:
            path, relative = Path(item.path), prefix + item.name
            real = Path(os.path.realpath(path)) if item.is_symlink() else above[-1] / item.name
            if item.name in _TOOLS or real in above or real == own or not real.is_relative_to(above[0]):
                continue
            if real.is_dir():
                if not _LEFTOVERS.fullmatch(relative):
                    yield from walk(path, f"{relative}/", (*above, real))
            elif real.is_file():
                if within is None:
                    note(path)
                yield relative, 0o755 if real.stat().st_mode & 0o100 else 0o644, path.read_bytes()

    real = folder.resolve()
    try:
        yield from walk(folder, "", (within.resolve() if within is not None else Path(real.anchor), real))
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error


def _marks(item: os.DirEntry[str]) -> bool:
    """Whether an entry makes its folder a virtual environment or a cache."""
    beginning = _MARKS.get(item.name)
    return beginning is not None and item.is_file() and Path(item.path).read_bytes().startswith(beginning)


def ignore_file(folder: Path) -> bytes:
    """The .gitignore that holds for a folder without one of its own, as build backends look for it: the nearest above
    it in its repository; empty where there is none."""
    if (folder / _GITIGNORE).is_file() or (folder / ".git").exists():
        return b""
    for above in folder.resolve().parents:
        note(above / _GITIGNORE)
        if (above / _GITIGNORE).is_file():
            return (above / _GITIGNORE).read_bytes()
        if (above / ".git").exists():
            break
    return b""


def folder_digest(folder: Path, *, subdirectory: str | None = None, without: Path | None = None) -> str:
    """sha256 over path, mode and content of every file that a folder, or a part of it, is built from, and over what
    else decides on its wheel, hex."""
    digest = hashlib.sha256(ignore_file(folder))
    for path, mode, content in _read_source(folder, subdirectory, without=without):
        digest.update(f"{mode:o} {hashlib.sha256(content).hexdigest()} {path}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _read_tree(pin: Pin, environ: Mapping[str, str], *, without: Path | None) -> Iterable[TreeFile]:
    """The source tree of a pin that is built from a folder or a commit."""
    if pin.path is not None:
        return _read_source(Path(pin.path), pin.subdirectory, without=without)
    with tempfile.TemporaryDirectory(prefix="lambdabuild-") as checkout:
        top = Path(checkout)
        check_out(pin, top, environ)
        tracked = read_tracked(top)
        return _with_tracked(read_folder(top, within=top), pin.subdirectory, top, lambda: tracked)


def _read_source(folder: Path, subdirectory: str | None, *, without: Path | None) -> Iterable[TreeFile]:
    """What a folder, or a part of it, is built from."""
    files = read_folder(folder, without=without)
    return _with_tracked(files, subdirectory, folder, lambda: find_tracked(folder.resolve()))


def _with_tracked(
    tree: Iterable[TreeFile], subdirectory: str | None, folder: Path, find: Callable[[], Tracked | None]
) -> tuple[TreeFile, ...]:
    """The tree with a MANIFEST.in that names what git tracks, for a backend that would ask git for it: setuptools-scm
    makes these files package data, and the tree has no history that could tell of them."""
    files = tuple(tree)
    top = f"{subdirectory}/" if subdirectory else ""
    wanted = {f"{top}{name}" for name in (configfile.PYPROJECT, "setup.py", "setup.cfg", "MANIFEST.in")}
    texts = {path: content.decode(errors="surrogateescape") for path, _, content in files if path in wanted}
    try:
        document = configfile.parse_toml(texts.get(f"{top}{configfile.PYPROJECT}", ""), origin=str(folder))
    except UsageError:  # which its build will say better
        return files
    scm = find_scm_version(document, texts.get(f"{top}setup.py", "") + texts.get(f"{top}setup.cfg", ""))
    tracked = find() if scm is not None and scm.files else None
    inside = f"{(folder / top).resolve()}/"
    paths = sorted(path.removeprefix(inside) for path in tracked.files if path.startswith(inside)) if tracked else []
    if not paths:
        return files
    manifest = f"{top}MANIFEST.in"
    named = "".join(f"include {_SPECIAL.sub('?', path)}\n" for path in paths)
    others = (file for file in files if file[0] != manifest)
    return (*others, (manifest, 0o644, (named + texts.get(manifest, "")).encode(errors="surrogateescape")))
