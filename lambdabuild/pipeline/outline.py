"""Functions whose code was edited so that the checks would say what they said: only their archive is made again.

Slimming, audit and lint read of a function's code its paths, its imports, and the evidence that ``read_facts`` finds.
Where these are what they were, and so are the plan, the distributions and the layers, nothing of a layer is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256

from lambdabuild.model.attempts import imports_of
from lambdabuild.model.elf import MAGIC
from lambdabuild.model.facts import facts_document
from lambdabuild.model.limits import Sized, check_unzipped, finding_document
from lambdabuild.model.plan import FunctionPlan, LayerPlan
from lambdabuild.model.report import Artifact
from lambdabuild.model.tree import Tree
from lambdabuild.pipeline.collecting import Code
from lambdabuild.pipeline.reuse import Earlier, Memory, Outline
from lambdabuild.pipeline.users import facts_of
from lambdabuild.zipformat import each_with_content

_SIZES = ("too-many-layers", "unzipped-size")


def find_alike(
    functions: Iterable[FunctionPlan],
    standing: Collection[str],
    fingerprints: Mapping[str, str],
    memory: Memory,
    collect: Callable[[FunctionPlan], Code],
) -> dict[str, Earlier]:
    """By file, the functions of earlier builds of which the checks would say the same for the code as it is now."""
    found = {}
    for function in functions:
        earlier = memory.earlier.get(function.file)
        if earlier is None or not earlier.outline or earlier.fingerprint != fingerprints[function.file]:
            continue
        layers = {
            one.file: memory.earlier[one.file].artifact for one in function.attached_layers if one.file in standing
        }
        if {file: layer.content_digest for file, layer in layers.items()} != earlier.layers:
            continue
        sized = [
            layers[one.file].sized() if isinstance(one, LayerPlan) else _sized(one.name, one.unzipped_size)
            for one in function.attached
        ]
        if (outline := _find_same(earlier, collect(function), sized)) is not None:
            found[function.file] = replace(earlier, outline=outline)
    return found


def _find_same(earlier: Earlier, code: Code, layers: list[Sized]) -> Outline | None:
    """The outline of the code, if the checks say of it what they said."""

    def is_read_whole(path: str) -> bool:
        file, read = earlier.outline.get(path, ("", ""))
        return file == read

    outline = _outline(code, is_read_whole, known=earlier.outline)
    read, before = ({path: read for path, (_, read) in one.items()} for one in (outline, earlier.outline))
    size = sum(member.size for member in code.collected.members)
    too_large = check_unzipped(_sized(earlier.artifact.file, size), layers)
    if read != before or too_large or any(one.code in _SIZES for one in earlier.said.findings):
        return None
    return outline


def _sized(name: str, size: int) -> Sized:
    return Sized(name=name, unzipped_size=size, shares={})


def outline_of(artifact: Artifact, code: Code, layers: Iterable[tuple[str, Tree]]) -> Outline:
    """What the checks read of a function that is nothing but code; nothing for another one. ``layers`` are those that
    it attaches, each with the folder in it that is on the import path."""
    if artifact.kind != "function" or artifact.distributions or artifact.provenance.bytecode is not None:
        return {}
    beside = {_top_level(path.removeprefix(root)) for root, tree in layers for path in tree.entries}
    return _outline(code, lambda path: _top_level(path) in beside, known={})


def _top_level(path: str) -> str:
    """The name that two files share of which one may hide the other."""
    return path.partition("/")[0].partition(".")[0]


def _outline(code: Code, is_read_whole: Callable[[str], bool], *, known: Outline) -> Outline:
    """Nothing for code with binaries: what is said of those depends on texts anywhere in it."""
    outline = {"": ["", json.dumps([finding_document(one) for one in code.findings])]}
    for member in code.collected.members:
        file = f"{member.mode:o} {member.sha256}"
        if member.path in known and known[member.path][0] == file:
            outline[member.path] = known[member.path]
            continue
        ((_, content),) = each_with_content([member])
        if content.startswith(MAGIC):
            return {}
        whole = is_read_whole(member.path) or not member.path.endswith(".py")
        outline[member.path] = [file, file if whole else f"{member.mode:o} {_read(member.path, content)}"]
    return outline


@lru_cache(maxsize=10_000)
def _read(path: str, content: bytes) -> str:
    """A digest of what is read of a module by path and content, which several functions may have."""
    imports = imports_of(path, content.decode(errors="replace").encode())
    facts = facts_document(facts_of(path, content))
    return sha256(json.dumps([facts, sorted(imports)]).encode()).hexdigest()
