"""Trees of a plan: which segments and sources each artifact holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lambdabuild.model.limits import Finding, check_not_empty, check_unzipped
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.plan import FunctionPlan, LayerPlan, Plan
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.tree import Tree, overlaid, prefixed, segment_tree, source_tree

LAYER_ROOT = "python/"
"""Below /opt this folder is on the import path, in every runtime and with PYTHONPATH set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a layer is made from."""

    segments: tuple[Segment, ...]
    code: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What a function's archive holds besides its bundled layers, and what it leaves out of them."""

    code: tuple[Member, ...]
    left_to_runtime: frozenset[str]
    """Names of the distributions that the runtime brings itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """The trees of a plan, by artifact file, and what was found on the way."""

    trees: Mapping[str, Tree]
    findings: tuple[Finding, ...]


def assemble(plan: Plan, contents: Mapping[str, Content], own: Mapping[str, Own]) -> Assembled:
    """Build every tree and check the unzipped limits, before a byte is zipped.

    Raises PolicyError where two distributions bring different files to one path.
    """
    findings: list[Finding] = []
    trees = {
        layer.name: prefixed(_layer_tree(layer, contents[layer.name], findings), LAYER_ROOT)
        for layer in plan.separate_layers
    }
    made = {layer.file: trees[layer.name] for layer in plan.layers}
    if not plan.functions:
        for file, tree in made.items():
            findings += check_unzipped(None, [tree.sized(file)])
    for function in plan.functions:
        below = _bundle(function, contents, own[function.name].left_to_runtime, findings)
        tree, hidden = overlaid(below, source_tree(own[function.name].code), name=function.file)
        made[function.file] = tree
        attached = [trees[layer.name].sized(layer.file) for layer in function.attached]
        findings += [*hidden, *check_unzipped(tree.sized(function.file), attached)]
    for file, tree in made.items():
        findings += check_not_empty(file, len(tree.entries))
    return Assembled(trees=made, findings=tuple(findings))


def _layer_tree(layer: LayerPlan, content: Content, findings: list[Finding]) -> Tree:
    below = segment_tree(content.segments, distribution_rules(layer.exclude, layer.keep))
    tree, hidden = overlaid(below, source_tree(content.code), name=layer.file)
    findings += hidden
    return tree


def _bundle(
    function: FunctionPlan, contents: Mapping[str, Content], left_out: frozenset[str], findings: list[Finding]
) -> Tree:
    """What the bundled layers bring, later ones over earlier ones as Lambda lays them into /opt."""
    bundle = Tree({})
    for layer in function.bundled:
        segments = [segment for segment in contents[layer.name].segments if segment.name not in left_out]
        rules = distribution_rules((*layer.exclude, *function.exclude), (*layer.keep, *function.keep))
        tree, hidden = overlaid(
            segment_tree(segments, rules), source_tree(contents[layer.name].code), name=function.file
        )
        findings += hidden
        bundle = Tree({**bundle.entries, **tree.entries})
    return bundle
