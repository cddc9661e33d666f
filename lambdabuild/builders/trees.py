"""Source trees of distributions that no index serves: a folder of the project, or a commit of a repository.

They are read on the host and copied to where they are built, so that a build leaves nothing in the user's folders.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lambdabuild.builders.download import checked, fetch
from lambdabuild.errors import BuildError, MachineError, UsageError
from lambdabuild.ledger import note
from lambdabuild.model.credentials import redacted
from lambdabuild.model.patterns import source_rules
from lambdabuild.model.requirements import Pin

TreeFile = tuple[str, int, bytes]
"""Path relative to the tree, mode, content."""

_FOR_BACKENDS = (".gitignore",)
"""What some build backends read to know what belongs to a wheel."""
_OF_ANOTHER_REPOSITORY = frozenset(
    f"GIT_{name}"
    for name in ("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY", "NAMESPACE", "PREFIX")
)
"""Variables that git sets for its hooks."""


def folder_entries(*names: str) -> list[TreeFile]:
    """Entries of folders for their owner alone."""
    return [(f"{name}/", 0o700, b"") for name in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInput:
    """What the build of one distribution starts from."""

    files: tuple[TreeFile, ...]
    path: str
    """What is to be built, among the files: an archive, or a folder."""


def build_input(pin: Pin, environ: Mapping[str, str], *, fetch: Callable[[Pin], bytes] = fetch) -> BuildInput:
    """The sdist, or the source tree, of a pin; git gets the environment, and ``fetch`` the file of a URL.

    Raises MachineError when it cannot be fetched or there is no git, PolicyError when a file is not the one that was
    locked, BuildError when git does not give the commit.
    """
    if pin.kind == "sdist":
        part = f"#subdirectory={pin.subdirectory}" if pin.subdirectory else ""
        return BuildInput(files=((pin.filename, 0o400, read_file(pin, fetch=fetch)),), path=pin.filename + part)
    files = tuple((f"tree/{path}", mode, content) for path, mode, content in _read_tree(pin, environ))
    return BuildInput(files=files, path=f"tree/{pin.subdirectory}" if pin.subdirectory else "tree")


def build_environment(pin: Pin) -> dict[str, str]:
    """What a build is told: a fixed time, and the locked version in place of the one that git would tell."""
    environment = {"SOURCE_DATE_EPOCH": "315532800"}
    if pin.kind == "commit" and pin.version is not None:
        environment["SETUPTOOLS_SCM_PRETEND_VERSION"] = pin.version
    return environment


def read_file(pin: Pin, *, fetch: Callable[[Pin], bytes] = fetch) -> bytes:
    """The file of a pin, from its folder or its URL, checked against its sha256."""
    return checked(pin, Path(pin.path).read_bytes()) if pin.path is not None else fetch(pin)


def read_folder(folder: Path, *, within: Path | None = None) -> Iterator[TreeFile]:
    """The files of a folder in the order of their paths, without version control, caches and environments.

    Symbolic links are followed, but for those that dangle, lead back, or lead out of ``within``. Raises UsageError for
    what cannot be read.
    """
    rules = source_rules(keep=_FOR_BACKENDS)

    def walk(directory: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[TreeFile]:
        note(directory)
        for item in sorted(os.scandir(directory), key=lambda item: os.fsencode(item.name)):
            path, relative = Path(item.path), prefix + item.name
            real = Path(os.path.realpath(path)) if item.is_symlink() else above[-1] / item.name
            if real in above or not real.is_relative_to(above[0]):
                continue
            if real.is_dir() and rules.takes(f"{relative}/"):
                yield from walk(path, f"{relative}/", (*above, real))
            elif real.is_file() and rules.takes(relative):
                note(path)
                yield relative, 0o755 if real.stat().st_mode & 0o100 else 0o644, path.read_bytes()

    real = folder.resolve()
    try:
        yield from walk(folder, "", (within.resolve() if within is not None else Path(real.anchor), real))
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error


def folder_digest(folder: Path) -> str:
    """sha256 over path, mode and content of every file of a folder, hex."""
    digest = hashlib.sha256()
    for path, mode, content in read_folder(folder):
        digest.update(f"{mode:o} {hashlib.sha256(content).hexdigest()} {path}\0".encode())
    return digest.hexdigest()


def _read_tree(pin: Pin, environ: Mapping[str, str]) -> tuple[TreeFile, ...]:
    """The source tree of a pin that is built from a folder or a commit."""
    if pin.path is not None:
        return tuple(read_folder(Path(pin.path)))
    with tempfile.TemporaryDirectory(prefix="lambdabuild-") as checkout:

        def git(*argv: str) -> subprocess.CompletedProcess[str]:
            return _git(pin, ["git", "-C", checkout, *argv], environ)

        steps = [
            git("init", "--quiet"),
            # A server need not give a commit by its id; then everything that it gives is fetched.
            one
            if (one := git("fetch", "--quiet", "--depth", "1", pin.url, str(pin.commit))).returncode == 0
            else git("fetch", "--quiet", "--tags", pin.url, "+refs/heads/*:refs/remotes/origin/*"),
            git("checkout", "--quiet", str(pin.commit)),
            git("submodule", "--quiet", "update", "--init", "--recursive"),
        ]
        for step in steps:
            if step.returncode != 0:
                raise _git_failure(pin, step.stderr)
        return tuple(read_folder(Path(checkout), within=Path(checkout)))


def _git(pin: Pin, argv: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run git without letting it ask for a password."""
    environ = {name: value for name, value in environ.items() if name not in _OF_ANOTHER_REPOSITORY}
    environ["GIT_TERMINAL_PROMPT"] = "0"
    try:
        return subprocess.run(argv, env=environ, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise MachineError(f"{pin.name} lies in a git repository, and there is no git", hint="install git") from error


def _git_failure(pin: Pin, stderr: str) -> BuildError:
    host = urlsplit(pin.url).hostname or "the repository"
    return BuildError(
        f"{pin}: commit {pin.commit} cannot be had from {host}:\n  " + redacted(stderr.strip()).replace("\n", "\n  "),
        hint="check that the repository still has the commit, and that git can reach it",
    )
