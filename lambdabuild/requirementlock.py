"""Requirements to a lock for one target, with the newest versions that the target can use, and nothing untrue in it.

uv chooses versions by what it can install *or build*, and of the version that it chooses tells the files for the
target. So for a target with an old glibc it chooses a newest version that is there as a source distribution alone, and
tells of no other file. What the index offers besides is asked for then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from lambdabuild import configfile, uv
from lambdabuild.model.target import Target
from lambdabuild.values import dataclass

_ROUNDS = 5
"""How often older versions may bring others that have no wheel."""
_PACKAGE = re.compile(r"(?m)^(?=\[\[packages\]\]$)")

Ask = Callable[[tuple[str, ...], "str | None"], uv.Completed]
"""Runs uv with these arguments and this on its standard input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Requirements and where they are resolved for."""

    file: str
    """Relative to the project; ``-`` is standard input."""
    stdin: str | None
    target: Target
    what: str
    """What messages call them."""
    options: tuple[str, ...] = ()
    """Those of the requirements themselves, for what else is asked about them."""
    built_from_source: Collection[str] = ()
    """The names that are to be built, though they have wheels; ``:all:`` is one."""
    refresh: bool = False


def lock_requirements(question: Question, ask: Ask) -> str:
    """A pylock.toml (PEP 751).

    Where the newest version of a distribution asks for a newer glibc, it has the newest that does not; a distribution
    that must have that version has all its wheels in the lock, for all platforms.
    """
    done = _compiled(question, (), ask)
    if done.returncode != 0:
        raise uv.failure(f"resolving {question.what}", done.stderr)
    text, binaries = done.stdout, frozenset[str]()
    known: dict[tuple[str, str], str] = {}
    for _ in range(_ROUNDS):
        lacking = [one for one in _without_wheels(text) if one not in known]
        known |= {one: _listed(*one, question, ask) or "" for one in lacking}
        newer = frozenset(name for name, version in lacking if _needs_newer(known[name, version], question.target))
        if not newer:
            break
        done = _compiled(question, sorted(binaries | newer), ask)
        if done.returncode != 0:  # they have to be of this version, which is for the selection to refuse
            break
        text, binaries = done.stdout, binaries | newer
    return _completed(text, known, question)


def _compiled(question: Question, binaries: Sequence[str], ask: Ask) -> uv.Completed:
    argv = uv.compile_command(question.file, question.target, binaries=binaries, refresh=question.refresh)
    return ask(argv, question.stdin)


def _packages(text: str) -> list[dict[str, Any]]:
    return list(configfile.parse_toml(text, origin="uv").get("packages", ()))


def _without_wheels(text: str) -> list[tuple[str, str]]:
    """Name and version of what has a source distribution alone."""
    return [
        (package["name"], package["version"])
        for package in _packages(text)
        if "sdist" in package and "wheels" not in package and "version" in package
    ]


def _listed(name: str, version: str, question: Question, ask: Ask) -> str | None:
    """The package with all its files, as it stands in a lock; None where it has no wheel, or no index tells of it."""
    options = (option for option in question.options if option != "--require-hashes")
    stdin = "\n".join((*options, f"{name}=={version}"))
    done = ask(uv.list_command(question.target), stdin)
    if done.returncode != 0 or not any("wheels" in package for package in _packages(done.stdout)):
        return None
    return _PACKAGE.split(done.stdout)[1]


def _needs_newer(listed: str, target: Target) -> bool:
    """Whether the wheels of a package fit the target but for its glibc."""
    urls = (wheel.get("url", wheel.get("path", "")) for package in _packages(listed) for wheel in package["wheels"])
    from lambdabuild.model.wheels import find_needed_glibc  # with what knows tags

    return find_needed_glibc((url.rpartition("/")[2] for url in urls), target) is not None


def _completed(text: str, known: dict[tuple[str, str], str], question: Question) -> str:
    """The lock with all wheels of what has none for the target; of what is to be built it says so."""
    head, *blocks = _PACKAGE.split(text)
    for number, block in enumerate(blocks):
        (package,) = _packages(block)
        listed = known.get((package["name"], package.get("version", "")))
        if listed:
            blocks[number] = listed.rstrip("\n") + "\n\n"
        elif listed is not None and not {package["name"], ":all:"}.isdisjoint(question.built_from_source):
            blocks[number] = block.rstrip("\n") + "\ntool = { lambdabuild = { no-binary = true } }\n\n"
    return head + "".join(blocks)
