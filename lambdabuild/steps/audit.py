"""The binaries of a plan's artifacts against the runtime that will load them, before a byte is zipped."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

from lambdabuild.builders.base import Builder, Image
from lambdabuild.cache import Cache
from lambdabuild.model.attempts import Code
from lambdabuild.model.complaints import audit as audit_unit
from lambdabuild.model.elf import MAGIC, read_binary
from lambdabuild.model.elfs import Elf, Unit
from lambdabuild.model.events import Listener
from lambdabuild.model.facts import Binary
from lambdabuild.model.limits import Finding
from lambdabuild.model.plan import ExternalPlan, FunctionPlan, LayerPlan, Plan
from lambdabuild.model.removal import Reasons, removed_members
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.target import Runtime, Target
from lambdabuild.model.tree import SOURCES, Entry, Tree
from lambdabuild.model.verification import Removed
from lambdabuild.slices import each_with_data
from lambdabuild.zipformat import each_with_content

Libraries = Callable[[Target], "frozenset[str] | None"]
"""The libraries in a target's image, None when it is not at hand."""

_KEPT = "libraries"


def audit(
    plan: Plan,
    trees: Mapping[str, Tree],
    layers: Mapping[str, Tree],
    segments: Mapping[Target, Iterable[Segment]],
    *,
    libraries: Libraries,
    runtimes: Sequence[Runtime],
    used: Collection[str] = (),
    built: Collection[str] = (),
) -> dict[str, dict[str, Finding]]:
    """What would fail when it is loaded: of each function together with its layers, and of the layers without one,
    by artifact file and under keys that are equal for what several of them have in common.

    ``trees`` by artifact file, those of layers also by name; ``used`` are layers that functions outside of the plan
    attach, ``built`` the owners whose wheels were built here and can be repaired. ``libraries`` is asked only when
    something misses one.
    """
    brought = {target: tuple(of_target) for target, of_target in segments.items()}
    known = {target: _known(of_target) for target, of_target in brought.items()}
    planned = {one.file: one for one in plan.artifacts}
    findings: dict[str, dict[str, Finding]] = {}
    for parts, target, complete in _parts(plan, trees, layers, used):
        placed = [(archive, *one) for archive, root, tree in parts for one in _placed(tree, root)]
        unit = Unit(
            target=target,
            archives=tuple(archive for archive, _, _ in parts),
            elfs=tuple(_elfs(placed, known.get(target, {}))),
            modules=frozenset((entry.owner, path) for _, path, entry in placed if path.endswith(".py")),
            complete=complete,
            built=frozenset(built),
        )
        found = audit_unit(
            unit,
            libraries=libraries,
            read_code=partial(_code, placed),
            runtimes=runtimes,
            find_removed=_Removals(parts, planned, brought.get(target, ())).find,
        )
        if found:
            findings[unit.archives[0]] = {repr(key): finding for key, finding in found.items()}
    return findings


def libraries_of(
    images: Mapping[Target, Image | None], *, builder: Builder, cache: Cache, listen: Listener
) -> Libraries:
    """Asks the image that the builder works in, once: the answer is kept in the cache under the image's digest.

    ``images`` are those that are known already.
    """
    told: dict[Target, frozenset[str] | None] = {}

    def ask(target: Target) -> frozenset[str] | None:
        image = images.get(target) or builder.image(target, listen=listen)
        if image is None:
            return None
        key = image.digest.replace(":", "-")
        names = frozenset((cache.find_text(_KEPT, key) or "").split()) or builder.libraries(target, listen=listen)
        cache.store_text(_KEPT, key, "\n".join(sorted(names or ())))
        return names

    def libraries(target: Target) -> frozenset[str] | None:
        if target not in told:
            told[target] = ask(target)
        return told[target]

    return libraries


_Part = tuple[str, str, Tree]
"""File of an archive, the folder in it that is on the import path, and what is in it."""
_Placed = tuple[str, str, Entry]
"""File of the archive, path relative to the import path, and what is there."""


def _parts(
    plan: Plan, trees: Mapping[str, Tree], layers: Mapping[str, Tree], used: Collection[str]
) -> Iterator[tuple[list[_Part], Target, bool]]:
    """What is loaded together, for which target, and whether it is all there is."""
    for function in plan.functions:
        attached = [(layer.file, layer.root, layers[layer.name]) for layer in function.attached_layers]
        complete = not any(isinstance(layer, ExternalPlan) for layer in function.attached)
        yield [(function.file, "", trees[function.file]), *attached], function.target, complete
    used = {*used, *(layer.name for function in plan.functions for layer in function.attached_layers)}
    for layer in plan.layers:
        if layer.name not in used:
            yield [(layer.file, layer.root, layers[layer.name])], layer.target, True


def _placed(tree: Tree, root: str) -> Iterator[tuple[str, Entry]]:
    return ((path.removeprefix(root), entry) for path, entry in tree.entries.items())


class _Removals:
    """What rules left out of archives that are loaded together, looked up only when a library is missing."""

    def __init__(
        self, parts: Iterable[_Part], planned: Mapping[str, LayerPlan | FunctionPlan], segments: Sequence[Segment]
    ) -> None:
        self._parts = parts
        self._planned = planned
        self._segments = segments

    def find(self, library: str) -> Removed | None:
        """A file of this name, in any folder."""
        return self._by_name.get(library)

    @cached_property
    def _by_name(self) -> dict[str, Removed]:
        return {
            removed.member.path.rpartition("/")[2]: removed
            for file, root, tree in self._parts
            for removed in removed_members(tree, self._segments, (), _reasons(self._planned[file]), root=root)
        }


def _reasons(artifact: LayerPlan | FunctionPlan) -> Reasons:
    bundled = artifact.bundled if isinstance(artifact, FunctionPlan) else ()
    exclude = (*(line for layer in bundled for line in layer.exclude), *artifact.exclude)
    return Reasons(exclude=exclude, slimming=artifact.slimming)


def _known(segments: Iterable[Segment]) -> dict[tuple[str, str], Binary]:
    """What was read when the distributions were installed, by owner and path."""
    return {
        (f"{segment.name} {segment.version}", binary.path): binary
        for segment in segments
        for binary in segment.facts.binaries
    }


def _elfs(placed: Iterable[_Placed], known: Mapping[tuple[str, str], Binary]) -> Iterator[Elf]:
    """The ELF files of distributions, and those of application code, which are read here."""
    sources: list[Member] = []
    for _, path, entry in placed:
        if entry.owner == SOURCES:
            sources.append(replace(entry.member, path=path))
        elif (entry.owner, path) in known:
            yield Elf(path=path, owner=entry.owner, binary=known[entry.owner, path])
    begun_as_elf = (member for member, data in each_with_data(sources) if _is_elf(member, data))
    for member, content in each_with_content(begun_as_elf):
        binary = read_binary(member.path, content)
        if binary is not None:
            yield Elf(path=member.path, owner=SOURCES, binary=binary)


def _is_elf(member: Member, data: bytes) -> bool:
    if member.method:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, len(MAGIC))
    return data.startswith(MAGIC)


def _code(placed: Iterable[_Placed], owner: str) -> Code:
    members = (
        replace(entry.member, path=path) for _, path, entry in placed if entry.owner == owner and path.endswith(".py")
    )
    return Code({member.path: content for member, content in each_with_content(members)})
