"""Bytecode: trees in which a .pyc stands beside every Python file that they hold, made by the runtime's interpreter.

It is made of the trees, not of the segments: then nothing is compiled that slimming leaves out, a file's bytecode is
there exactly when the file is, and its path in the runtime, which tracebacks show, is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from lambdabuild.builders.base import Builder
from lambdabuild.cache import Cache
from lambdabuild.model.events import Listener
from lambdabuild.model.limits import Finding
from lambdabuild.model.patch import Patch
from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.segment import Member
from lambdabuild.model.target import Target
from lambdabuild.model.tree import SOURCES, Tree, with_added
from lambdabuild.patches import Piece, ensure_patches

_SOURCE = ".py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """Trees with bytecode, by artifact file."""

    trees: Mapping[str, Tree]
    interpreters: Mapping[str, str]
    """The full version of the interpreter that made it, by artifact file; there is none where there is no bytecode."""
    findings: Mapping[str, tuple[Finding, ...]]
    """By artifact file, of those of which something does not compile."""


def compile_bytecode(
    artifacts: Iterable[LayerPlan | FunctionPlan],
    trees: Mapping[str, Tree],
    *,
    builder: Builder,
    cache: Cache,
    listen: Listener,
) -> Compiled:
    """Add bytecode to the trees of the artifacts for which that is configured.

    What does not compile is left as it is, with a warning where it is application code: a distribution may carry
    templates, or code for other versions. Raises what ``Builder.transform`` raises.
    """
    wanted = [one for one in artifacts if one.transforms.bytecode == "compile" and one.file in trees]
    compiled, interpreters, findings = dict(trees), dict[str, str](), dict[str, tuple[Finding, ...]]()
    for target in dict.fromkeys(artifact.target for artifact in wanted):
        of_target = [artifact for artifact in wanted if artifact.target == target]
        pieces = [(one, piece) for one in of_target for piece in _pieces(_root(one), trees[one.file])]
        patches = ensure_patches(
            "compile",
            [piece for _, piece in pieces],
            target,
            path_of=lambda path, target=target: _compiled_path(path, target),  # type: ignore[misc]
            builder=builder,
            cache=cache,
            listen=listen,
        )
        for (artifact, _), patch in zip(pieces, patches, strict=True):
            added = _placed(patch, _root(artifact))
            compiled[artifact.file] = with_added(compiled[artifact.file], added, owner=patch.owner)
            interpreters[artifact.file] = patch.version
            if found := tuple(_uncompiled(patch, artifact)):
                findings[artifact.file] = found
    return Compiled(trees=compiled, interpreters=interpreters, findings=findings)


def _root(artifact: LayerPlan | FunctionPlan) -> str:
    """Where the archive is unpacked, below ``/``."""
    return "opt/" if isinstance(artifact, LayerPlan) else "var/task/"


def _pieces(root: str, tree: Tree) -> Iterator[Piece]:
    """The Python files of a tree, one piece for each owner."""
    owned: dict[str, list[Member]] = {}
    for path, entry in tree.entries.items():
        if path.endswith(_SOURCE):
            owned.setdefault(entry.owner, []).append(replace(entry.member, path=root + path))
    return (Piece(owner=owner, files=tuple(files)) for owner, files in owned.items())


def _compiled_path(path: str, target: Target) -> str:
    """PEP 3147."""
    source = PurePosixPath(path)
    return str(source.parent / "__pycache__" / f"{source.stem}.{target.cache_tag}.pyc")


def _placed(patch: Patch, root: str) -> Iterator[Member]:
    return (replace(member, path=member.path.removeprefix(root)) for member in patch.members)


def _uncompiled(patch: Patch, artifact: LayerPlan | FunctionPlan) -> Iterator[Finding]:
    if patch.owner == SOURCES:
        for path, note in patch.notes.items():
            yield Finding(
                severity="warning",
                code="not-compiled",
                message=f"{artifact.file}: {path.removeprefix(_root(artifact))} does not compile with Python "
                f"{patch.version}: {note}",
                hint="mend it, or exclude it",
            )
