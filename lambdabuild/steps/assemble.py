"""Trees of a plan: which distributions and which code each artifact holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lambdabuild.model.limits import Finding, Sized, check_not_empty, check_unzipped
from lambdabuild.model.patterns import Rules, distribution_rules
from lambdabuild.model.plan import ExternalPlan, FunctionPlan, LayerPlan, Plan
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.shares import Given, leave_sdk, subtract, warn_of_shared
from lambdabuild.model.tree import Tree, overlaid, prefixed, segment_tree, source_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an artifact is made from."""

    segments: tuple[Segment, ...]
    """Of everything that it needs."""
    direct: tuple[str, ...]
    """What those are there for, as requirements."""
    code: tuple[Member, ...]
    left_out: tuple[str, ...] = ()
    """Modules of the sources that nothing of this artifact imports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """The trees of a plan, by artifact file, and what was found on the way."""

    trees: Mapping[str, Tree]
    findings: tuple[Finding, ...]


def assemble(plan: Plan, layers: Mapping[str, Content], functions: Mapping[str, Content]) -> Assembled:
    """Build every tree and check the unzipped limits, before a byte is zipped.

    Raises PolicyError where two distributions bring different files to one path.
    """
    findings: list[Finding] = []
    separate = {layer.name: layer for layer in plan.layers}
    separate |= {layer.name: layer for function in plan.functions for layer in function.attached_layers}
    made = {name: _make_layer(layer, layers[name], findings) for name, layer in separate.items()}
    trees = {layer.file: made[layer.name].tree for layer in plan.layers}
    if not plan.functions:
        for file, tree in trees.items():
            findings += check_unzipped(None, [tree.sized(file)])
    for function in plan.functions:
        content = functions[function.name]
        if function.kind == "function":
            tree = _slim(function, content, made, findings)
        else:
            tree = _fat(function, content, layers, findings)
        attached = [_sized(layer, made) for layer in function.attached]
        findings += check_unzipped(tree.sized(function.file), attached)
        trees[function.file] = tree
    for file, tree in trees.items():
        findings += check_not_empty(file, len(tree.entries))
    return Assembled(trees=trees, findings=tuple(dict.fromkeys(findings)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _MadeLayer:
    tree: Tree
    given: Given


def _make_layer(layer: LayerPlan, content: Content, findings: list[Finding]) -> _MadeLayer:
    segments = content.segments
    if layer.leaves_sdk:
        segments, shared = leave_sdk(segments, content.direct, layer.target)
        findings += warn_of_shared(shared, artifact=layer.file)
    rules = distribution_rules(layer.exclude, layer.keep)
    below = segment_tree(segments, rules)
    tree, hidden = overlaid(below, source_tree(content.code), name=layer.file)
    findings += hidden
    return _MadeLayer(
        tree=prefixed(tree, layer.root),
        given=_given(layer, segments, rules),
    )


def _given(layer: LayerPlan, segments: Iterable[Segment], rules: Rules) -> Given:
    """What a layer brings, without the distributions of which the rules take no file."""
    brought = (one for one in segments if any(rules.takes(member.path) for member in one.members))
    return Given(layer=layer.name, versions={segment.name: segment.version for segment in brought})


def _slim(function: FunctionPlan, content: Content, made: Mapping[str, _MadeLayer], findings: list[Finding]) -> Tree:
    """The function's code, and what it needs and its layers do not give."""
    given = [
        Given(layer=layer.name, versions=layer.distributions)
        if isinstance(layer, ExternalPlan)
        else made[layer.name].given
        for layer in function.attached
    ]
    segments, shared = content.segments, frozenset[str]()
    if function.leaves_sdk:
        segments, shared = leave_sdk(segments, content.direct, function.target)
    bundled, found = subtract(segments, given, function=function.name)
    findings += found + warn_of_shared(shared & {segment.name for segment in bundled}, artifact=function.file)
    rules = distribution_rules(function.exclude, function.keep)
    return _with_code(function, segment_tree(bundled, rules), content, findings)


def _fat(function: FunctionPlan, content: Content, layers: Mapping[str, Content], findings: list[Finding]) -> Tree:
    """Everything: the layers, later ones over earlier ones as Lambda lays them into /opt, and over them the function's
    own. Of a distribution that comes in several versions only the one that wins is packaged."""
    parts = []
    given = []
    for layer in function.bundled:
        rules = distribution_rules((*layer.exclude, *function.exclude), (*layer.keep, *function.keep))
        parts.append((rules, layers[layer.name].segments, layers[layer.name].code))
        given.append(_given(layer, layers[layer.name].segments, rules))
    own, found = subtract(content.segments, given, function=function.name)
    findings += found
    parts.append((distribution_rules(function.exclude, function.keep), own, ()))
    winners = {segment.name: segment for _, segments, _ in parts for segment in segments}
    kept = set(winners.values())
    if function.leaves_sdk:
        direct = [
            line for part in (*(layers[layer.name] for layer in function.bundled), content) for line in part.direct
        ]
        remaining, shared = leave_sdk([winners[name] for name in sorted(winners)], direct, function.target)
        findings += warn_of_shared(shared, artifact=function.file)
        kept = set(remaining)
    bundle = Tree({})
    for rules, segments, code in parts:
        below = segment_tree((segment for segment in segments if segment in kept), rules)
        tree, hidden = overlaid(below, source_tree(code), name=function.file)
        findings += hidden
        bundle = Tree({**bundle.entries, **tree.entries})
    return _with_code(function, bundle, content, findings)


def _with_code(function: FunctionPlan, below: Tree, content: Content, findings: list[Finding]) -> Tree:
    tree, hidden = overlaid(below, source_tree(content.code), name=function.file)
    findings += hidden
    return tree


def _sized(layer: LayerPlan | ExternalPlan, made: Mapping[str, _MadeLayer]) -> Sized:
    if isinstance(layer, ExternalPlan):
        return Sized(name=layer.name, unzipped_size=layer.unzipped_size, shares={layer.arn: layer.unzipped_size})
    return made[layer.name].tree.sized(layer.file)
