"""Needs to pins: what uv makes of a lock, of requirements or of a script, and the files that the target takes."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lambdabuild import configfile, uv
from lambdabuild.builders.secrets import read_settings
from lambdabuild.cache import Cache
from lambdabuild.errors import BuildError, PolicyError, UsageError
from lambdabuild.ledger import note, renew
from lambdabuild.lockinputs import file_digest, lock_inputs, settings_inputs
from lambdabuild.model.credentials import Grant, grants_in, signed, without_userinfo
from lambdabuild.model.forwarding import deciding_without_credentials
from lambdabuild.model.needs import NOTHING, Locked, LockFile, Needs, Required, Script
from lambdabuild.model.othertools import LOCKS, migration
from lambdabuild.model.requirement_files import Meaning, check_hashes, meaning_of, references, requirement_lines
from lambdabuild.model.requirements import Pin
from lambdabuild.model.target import Runtime, Target
from lambdabuild.requirementlock import Question, lock_requirements
from lambdabuild.selections import select
from lambdabuild.values import dataclass

_FORMAT = 2
"""Of kept resolutions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What needs come to for one target."""

    pins: tuple[Pin, ...]
    """By name."""
    direct: tuple[str, ...]
    """What the needs themselves name, as requirements (PEP 508); the rest is there because of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """uv, asked about one project."""

    project: Path
    binary: Path
    uv_version: str
    environ: Mapping[str, str]
    runtimes: Sequence[Runtime]
    cache: Cache
    upgrade: bool
    """Resolve requirements that are not pinned anew, though they did not change."""
    output: Path | None = None
    """Where builds put what they make: no part of any folder that a distribution is built from."""
    asking: Callable[[], None] = lambda: None
    """Called before uv is asked what the cache does not tell: what it answers may have to be installed."""

    def lock(self, folder: str | None = None) -> None:
        """``uv lock`` of the project or of the one in a folder of it: writes uv.lock when it is missing or stale, and
        nothing otherwise."""
        project = self.project / (folder or "")
        self._refuse_untold(project)
        done = uv.run(self.binary, uv.lock_command(), cwd=project, environ=self.environ)
        if done.returncode != 0:
            raise uv.failure("uv lock", done.stderr)
        for place in (project, *project.parents):
            renew(place)
            renew(place / configfile.LOCK)

    def resolve(self, needs: Needs, target: Target, *, owner: str) -> Resolution:
        """The pins of needs for a target; ``owner`` is whose they are, for messages: ``functions.api``.

        Raises PolicyError for a lock that is missing or stale, NoUsableWheel for distributions that the target
        cannot have, UsageError for a file that is missing, and what ``uv.failure`` gives for anything else that uv
        refuses.
        """
        if needs == NOTHING:
            return Resolution(pins=(), direct=())
        text, base = self._lock_text(needs, target, owner)
        origin = str(self.project / needs.file) if isinstance(needs, LockFile) else "uv"
        try:
            pins = select(text, target, self.runtimes, origin=origin, cache=self.cache)
        except BuildError as error:
            from lambdabuild.model.selection import NoUsableWheel

            if not isinstance(error, NoUsableWheel):
                raise BuildError(f"{origin}: {error.message}", hint=error.hint) from error
            newest = {name: version for name in error.names if (version := self._find_newest(name, target))}
            raise NoUsableWheel(error.refused, newest=newest, narrowing=_narrowing(needs)) from None
        if isinstance(needs, Required):
            check_hashes(pins, self._meaning(needs, owner), what=needs.file or f"{owner}.requirements")
        grants = self._grants(needs)
        pins = tuple(self._located(_signed(pin, grants), base) for pin in pins)
        return Resolution(pins=pins, direct=tuple(self._direct(needs)))

    def _lock_text(self, needs: Needs, target: Target, owner: str) -> tuple[str, Path]:
        """A pylock.toml, and the folder that its paths are relative to."""
        if isinstance(needs, Locked):
            base = self.project / (needs.folder or "")
            if not needs.only_groups:
                self._refuse_untold(base)
            return self._exported(uv.export_command(needs), base), base
        if isinstance(needs, LockFile):
            path = self._existing(needs.file, f"{owner}.pylock")
            return configfile.read_text(path), path.parent
        if isinstance(needs, Script):
            path = self._existing(needs.file, f"{owner}.handler")
            if path.with_name(f"{path.name}.lock").exists():
                argv = uv.export_script_command(needs.file)
                return self._exported(argv, self.project, script=path), self.project
            block = configfile.read_script(path)
            lines = sorted(map(str, block.get("dependencies", ())))
            meant = json.dumps({**block, "dependencies": lines}, sort_keys=True, default=str)
            question = Question(file=needs.file, stdin=None, target=target, what=needs.file, refresh=self.upgrade)
            return self._compiled(question, [meant]), self.project
        meaning = self._meaning(needs, owner)
        question = Question(
            file=needs.file or "-",
            stdin=None if needs.file is not None else "\n".join(needs.lines),
            target=target,
            what=needs.file or f"{owner}.requirements",
            options=meaning.options,
            built_from_source=meaning.built_from_source | self._built_from_source(),
            refresh=self.upgrade,
        )
        inputs = [*meaning.options, "", *meaning.requirements, "", *meaning.constraints]
        return self._compiled(question, inputs), self.project

    def _meaning(self, needs: Required, owner: str) -> Meaning:
        if needs.file is None:
            return meaning_of([("\n".join(needs.lines), False)])
        files = _closure(self._existing(needs.file, f"{owner}.requirements"))
        return meaning_of((configfile.read_requirements(path), constrains) for path, constrains in files)

    def _exported(self, argv: tuple[str, ...], project: Path, *, script: Path | None = None) -> str:
        """What uv reads out of a lock, kept until the lock or what it is checked against changes."""
        inputs = lock_inputs(project, script)
        key = None if inputs is None else self._key([*argv, *inputs], project)
        known = None if key is None else self.cache.find_text("exports", key)
        if known is not None:
            return known
        self.asking()
        done = uv.run(self.binary, argv, cwd=project, environ=self.environ)
        if done.returncode != 0:
            error = self._lock_error(done.stderr, project, script)
            raise error or uv.failure("reading the lock (uv export)", done.stderr)
        if key is not None and without_userinfo(done.stdout) == done.stdout:
            self.cache.store_text("exports", key, done.stdout)
        return done.stdout

    def _key(self, inputs: Iterable[str], project: Path) -> str:
        """A key for what uv answers to these inputs of a project, here and now."""
        settings = json.dumps(deciding_without_credentials(self.environ), sort_keys=True)
        files = settings_inputs(project, self.environ)
        return hashlib.sha256("\0\0".join([*inputs, self.uv_version, settings, *files]).encode()).hexdigest()

    def _compiled(self, question: Question, inputs: Sequence[str]) -> str:
        """A resolution of requirements, kept until what they mean changes: ``inputs`` tells that."""
        argv = uv.compile_command("-", question.target)  # wherever the requirements stand
        key = self._key([f"format {_FORMAT}", str(self.project), *argv, *inputs], self.project)
        known = None if self.upgrade else self.cache.find_text("resolutions", key)
        if known is not None and known.startswith(self._stamp(known)):
            return known
        self.asking()
        text = without_userinfo(lock_requirements(question, self._ask))
        text = self._stamp(text) + text
        self.cache.store_text("resolutions", key, text)
        return text

    def _ask(self, argv: tuple[str, ...], stdin: str | None) -> uv.Completed:
        return uv.run(self.binary, argv, cwd=self.project, environ=self.environ, stdin=stdin)

    def _built_from_source(self) -> frozenset[str]:
        """The names of which uv's settings say that no wheel is taken; ``:all:`` is one."""
        settings = read_settings(self.environ, project=self.project, home=Path(self.environ.get("HOME", "/")))
        tables = [part for table in settings for part in (table, table.get("pip", {}))]
        names = [name for table in tables for name in table.get("no-binary-package", ())]
        for table in tables:
            value = table.get("no-binary", ())
            names += [":all:"] if value is True else value if isinstance(value, list) else []
        return frozenset(map(str, names))

    def _stamp(self, pylock: str) -> str:
        """A comment that tells the content of the folders and files in a resolution: it changes with them."""
        packages = configfile.parse_toml(pylock, origin="uv").get("packages", ())
        folders = [package["directory"] for package in packages if "directory" in package]
        archives = [package["archive"] for package in packages if "archive" in package]
        files = (self.project / archive["path"] for archive in archives if "path" in archive)
        digests = [self._folder_digest(self.project / one["path"], one.get("subdirectory")) for one in folders]
        digests += map(file_digest, files)
        return f"# {' '.join(digests)}\n"

    def _grants(self, needs: Needs) -> tuple[Grant, ...]:
        """The logins that stand in the requirements themselves, which a kept resolution does not hold."""
        files: Iterable[Path] = ()
        if isinstance(needs, Script):
            files = [self.project / needs.file]
        elif isinstance(needs, Required) and needs.file is not None:
            files = [path for path, _ in _closure(self.project / needs.file)]
        lines = needs.lines if isinstance(needs, Required) else ()
        return grants_in("\n".join([*map(configfile.read_requirements, files), *lines]), self.environ)

    def _direct(self, needs: Needs) -> Iterator[str]:
        if isinstance(needs, Locked):
            yield from configfile.read_direct(self.project / (needs.folder or ""), needs)
        elif isinstance(needs, Required) and needs.file is not None:
            for path, constrains in _closure(self.project / needs.file):
                if not constrains:
                    yield from requirement_lines(configfile.read_requirements(path))
        elif isinstance(needs, Required):
            yield from needs.lines
        elif isinstance(needs, Script):
            yield from configfile.read_script(self.project / needs.file).get("dependencies", ())

    def _existing(self, file: str, what: str) -> Path:
        path = self.project / file
        if not configfile.holds(path.parent, path.name):
            problem = "is a folder" if path.is_dir() else "does not exist"
            raise UsageError(f'{what} = "{file}": {path} {problem}', hint="paths are relative to the project's folder")
        return path

    def _refuse_untold(self, project: Path) -> None:
        """A lock that is not there could only hold what uv is told of."""
        if configfile.find_lock(project) is None:
            configfile.refuse_untold_dependencies(project)

    def _lock_error(self, stderr: str, project: Path, script: Path | None) -> PolicyError | None:
        hint = f"uv lock --project {project}   (or add --lock to this command)"
        if "Unable to find lockfile" in stderr:
            other = next((file for file in LOCKS if (project / file).is_file()), None)
            hint = migration(other, project=str(project)) if other else hint
            return PolicyError(f"{project} has no uv.lock", hint=hint, code="lock-missing")
        if "needs to be updated" in stderr and script is not None:
            return PolicyError(
                f"{script}.lock is older than what {script.name} asks for",
                hint=f"uv lock --script {script}",
                code="lock-stale",
            )
        if "needs to be updated" in stderr:
            return PolicyError(
                f"{project}: uv.lock is older than what pyproject.toml asks for", hint=hint, code="lock-stale"
            )
        return None

    def _find_newest(self, name: str, target: Target) -> str | None:
        """The newest version that has a wheel for the target, for a hint; None when the index does not tell."""
        done = uv.run(self.binary, uv.newest_command(name, target), cwd=self.project, environ=self.environ, stdin=name)
        version = done.stdout.strip().partition("==")[2].partition(" ")[0]
        return version or None if done.returncode == 0 else None

    def _located(self, pin: Pin, base: Path) -> Pin:
        """The pin with an absolute path, and for a folder with the digest of what is in it."""
        if pin.path is None:
            return pin
        path = (base / pin.path).resolve()
        note(path)
        if not path.exists():
            raise UsageError(f"{pin}: {path} does not exist", hint="the lock names it; lock again after moving things")
        if not (path.is_dir() if pin.kind == "folder" else path.is_file()):
            expected = "a folder" if pin.kind == "folder" else "a file"
            raise UsageError(f"{pin}: the lock gives {path} as {expected}, and it is none", hint="lock again")
        version = pin.version or (self._scm_version(pin, path) if pin.kind == "folder" else None)
        return replace(
            pin, path=str(path), version=version, sha256=pin.sha256 or self._folder_digest(path, pin.subdirectory)
        )

    def _scm_version(self, pin: Pin, path: Path) -> str | None:
        from lambdabuild.builders.scm import find_version  # for who has folders that do not tell their versions

        folder = path / (pin.subdirectory or "")
        return find_version(pin.name, folder, binary=self.binary, environ=self.environ, cache=self.cache)

    def _folder_digest(self, path: Path, subdirectory: str | None) -> str:
        from lambdabuild.builders.trees import folder_digest  # with what fetches and builds, for who has such folders

        return folder_digest(path, subdirectory=subdirectory, without=self.output)


def _narrowing(needs: Needs) -> str:
    """How a requirement, put for ``{}``, is narrowed where needs say theirs."""
    if isinstance(needs, Script):
        return f"uv add --script {shlex.quote(needs.file)} '{{}}'"
    if isinstance(needs, Locked):
        return "uv add '{}'"
    if isinstance(needs, LockFile):
        return f"lock {{}} in {needs.file}"
    return f"write {{}} in {needs.file}" if needs.file is not None else 'write "{}" in requirements'


def _signed(pin: Pin, grants: Sequence[Grant]) -> Pin:
    """The pin of a file with the login that these give for its place."""
    return replace(pin, url=signed(pin.url, grants)) if pin.kind in ("wheel", "sdist") and pin.url else pin


def _closure(path: Path, above: tuple[Path, ...] = (), *, constrains: bool = False) -> Iterator[tuple[Path, bool]]:
    """A requirements file and all that it names with -r and -c, each relative to the one that holds it, and whether it
    only constrains.

    Raises UsageError for a file that is missing, and for a circle.
    """
    yield path, constrains
    for reference in references(configfile.read_requirements(path)):
        other = (path.parent / reference.path).resolve()
        where = f"{path}:{reference.line}: {reference.path}"
        if other in (*above, path.resolve()):
            raise UsageError(f"{where}: the requirements files name each other in a circle")
        if not configfile.holds(other.parent, other.name):
            raise UsageError(f"{where}: {other} {'is a folder' if other.is_dir() else 'does not exist'}")
        yield from _closure(other, (*above, path.resolve()), constrains=constrains or reference.constrains)
