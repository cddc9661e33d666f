"""Trees of a plan: which distributions and which code each artifact holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from lambdabuild.model.evidence import read_facts
from lambdabuild.model.facts import Facts, Lookup, merge
from lambdabuild.model.limits import Finding, Sized, check_files, check_unzipped
from lambdabuild.model.patterns import NOTHING, distribution_rules
from lambdabuild.model.plan import ExternalPlan, FunctionPlan, LayerPlan, Plan
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.shares import Given, leave_sdk, subtract, warn_of_shared
from lambdabuild.model.slimming import Kept, Part, keep_by_evidence
from lambdabuild.model.tree import Tree, overlaid, prefixed, segment_tree, source_tree
from lambdabuild.zipformat import each_with_content


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
    users: Facts = Facts()
    """Of a layer: what the code of the functions tells that attach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """The trees of a plan, by artifact file, and what was found on the way."""

    trees: Mapping[str, Tree]
    layers: Mapping[str, Tree]
    """Those of the layers by name, also of such as are only attached."""
    findings: Mapping[str, tuple[Finding, ...]]
    """By artifact file, of layers also of such as are only attached."""
    kept: Mapping[str, tuple[Kept, ...]]
    """What slimming would have left out and evidence kept, by artifact file; nothing for those without."""


def assemble(
    plan: Plan,
    layers: Mapping[str, Content],
    functions: Mapping[str, Content],
    *,
    finish: Callable[[Mapping[str, Tree]], Mapping[str, Tree]] = lambda trees: trees,
) -> Assembled:
    """Build every tree, have them finished, and check the unzipped limits, before a byte is zipped.

    ``finish`` is given the trees by artifact file, those of layers that are only attached among them. Raises
    PolicyError where two distributions bring different files to one path.
    """
    kept: dict[str, tuple[Kept, ...]] = {}
    separate = {layer.name: layer for layer in plan.layers}
    separate |= {layer.name: layer for function in plan.functions for layer in function.attached_layers}
    findings: dict[str, list[Finding]] = {layer.file: [] for layer in separate.values()}
    findings |= {function.file: [] for function in plan.functions}
    made = {name: _make_layer(layer, layers[name], findings[layer.file], kept) for name, layer in separate.items()}
    drafts = {layer.file: made[name].tree for name, layer in separate.items()}
    for function in plan.functions:
        content = functions[function.name]
        if function.kind == "function":
            drafts[function.file] = _slim(function, content, made, findings[function.file], kept)
        else:
            drafts[function.file] = _fat(function, content, layers, findings[function.file], kept)
    finished = finish(drafts)
    separated = {name: finished[layer.file] for name, layer in separate.items()}
    files = [layer.file for layer in plan.layers] + [function.file for function in plan.functions]
    trees = {file: finished[file] for file in files}
    if not plan.functions:
        for file, tree in trees.items():
            findings[file] += check_unzipped(None, [tree.sized(file)])
    for function in plan.functions:
        attached = [_sized(layer, separated) for layer in function.attached]
        findings[function.file] += check_unzipped(trees[function.file].sized(function.file), attached)
    for file, tree in trees.items():
        findings[file] += check_files(file, len(tree.entries))
    return Assembled(
        trees=trees,
        layers=separated,
        findings={file: tuple(found) for file, found in findings.items()},
        kept={file: kept[file] for file in trees if kept.get(file)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _MadeLayer:
    tree: Tree
    given: Given
    root: str
    lookups: tuple[Lookup, ...]
    """Of what is in it."""


_KeptFiles = dict[str, tuple[Kept, ...]]


def _make_layer(layer: LayerPlan, content: Content, findings: list[Finding], kept: _KeptFiles) -> _MadeLayer:
    segments = content.segments
    if layer.leaves_sdk:
        segments, shared = leave_sdk(segments, content.direct, layer.target)
        findings += warn_of_shared(shared, artifact=layer.file)
    rules = distribution_rules(layer.exclude, layer.keep, slimming=layer.slimming)
    part = Part(segments=tuple(segments), rules=rules)
    code = _facts(content.code)
    kept[layer.file] = keep_by_evidence([part], layer.slimming, merge((code, content.users)), _load)
    below = segment_tree(segments, rules, _files(kept[layer.file]))
    tree, hidden = overlaid(below, source_tree(content.code), name=layer.file)
    findings += hidden
    return _MadeLayer(
        tree=prefixed(tree, layer.root),
        given=_given(layer, segments),
        root=layer.root,
        lookups=code.lookups
        + tuple(one for segment in segments for one in segment.facts.lookups if one.path in below.entries),
    )


def _given(layer: LayerPlan, segments: Iterable[Segment], function: FunctionPlan | None = None) -> Given:
    """What a layer brings, without the distributions of which the rules take nothing that runs."""
    artifacts = (layer, function) if function else (layer,)
    exclude = [pattern for one in artifacts for pattern in one.exclude]
    rules = distribution_rules(exclude, [pattern for one in artifacts for pattern in one.keep])
    brought = (one for one in segments if any(rules.takes(member.path) for member in one.members))
    return Given(layer=layer.name, versions={segment.name: segment.version for segment in brought})


def _slim(
    function: FunctionPlan,
    content: Content,
    made: Mapping[str, _MadeLayer],
    findings: list[Finding],
    kept: _KeptFiles,
) -> Tree:
    """The function's code, and what it needs and its layers do not give; of what they give the metadata that its own
    distributions look up and they do not have."""
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
    layers = [made[layer.name] for layer in function.attached_layers]
    rules = distribution_rules(function.exclude, function.keep, slimming=function.slimming)
    lacking = tuple(_without_files_of(layers, segment) for segment in segments if segment not in bundled)
    parts = [
        Part(segments=bundled, rules=rules),
        Part(segments=lacking, rules=rules, elsewhere=True),
    ]
    code = merge((_facts(content.code), Facts(lookups=tuple(one for layer in layers for one in layer.lookups))))
    kept[function.file] = keep_by_evidence(parts, function.slimming, code, _load)
    files = _files(kept[function.file])
    below = segment_tree(bundled, rules, files)
    lent = segment_tree(lacking, NOTHING, files)
    return _with_code(function, Tree({**below.entries, **lent.entries}), content, findings)


def _fat(
    function: FunctionPlan,
    content: Content,
    layers: Mapping[str, Content],
    findings: list[Finding],
    kept: _KeptFiles,
) -> Tree:
    """Everything: the layers, later ones over earlier ones as Lambda lays them into /opt, and over them the function's
    own. Of a distribution that comes in several versions only the one that wins is packaged."""
    bundled = [layers[layer.name] for layer in function.bundled]
    given = [_given(layer, layers[layer.name].segments, function) for layer in function.bundled]
    own, found = subtract(content.segments, given, function=function.name)
    findings += found
    winners = {segment.name: segment for part in (*(one.segments for one in bundled), own) for segment in part}
    remaining = tuple(winners[name] for name in sorted(winners))
    if function.leaves_sdk:
        direct = [line for part in (*bundled, content) for line in part.direct]
        remaining, shared = leave_sdk(remaining, direct, function.target)
        findings += warn_of_shared(shared, artifact=function.file)
    parts = [
        Part(
            segments=tuple(segment for segment in segments if segment in remaining),
            rules=distribution_rules(
                (*exclude, *function.exclude), (*keep, *function.keep), slimming=function.slimming
            ),
        )
        for exclude, keep, segments in (
            *((layer.exclude, layer.keep, layers[layer.name].segments) for layer in function.bundled),
            ((), (), own),
        )
    ]
    code = [*(one.code for one in bundled), ()]
    kept[function.file] = keep_by_evidence(parts, function.slimming, merge(map(_facts, (*code, content.code))), _load)
    bundle = Tree({})
    for part, brought in zip(parts, code, strict=True):
        below = segment_tree(part.segments, part.rules, _files(kept[function.file]))
        tree, hidden = overlaid(below, source_tree(brought), name=function.file)
        findings += hidden
        bundle = Tree({**bundle.entries, **tree.entries})
    return _with_code(function, bundle, content, findings)


def _with_code(function: FunctionPlan, below: Tree, content: Content, findings: list[Finding]) -> Tree:
    tree, hidden = overlaid(below, source_tree(content.code), name=function.file)
    findings += hidden
    return tree


def _sized(layer: LayerPlan | ExternalPlan, trees: Mapping[str, Tree]) -> Sized:
    if isinstance(layer, ExternalPlan):
        return Sized(name=layer.name, unzipped_size=layer.unzipped_size, shares={layer.arn: layer.unzipped_size})
    return trees[layer.name].sized(layer.file)


def _without_files_of(layers: Iterable[_MadeLayer], segment: Segment) -> Segment:
    """What of a distribution is in none of these layers."""
    members = (
        member
        for member in segment.members
        if not any(layer.root + member.path in layer.tree.entries for layer in layers)
    )
    return replace(segment, members=tuple(members))


def _facts(code: Iterable[Member]) -> Facts:
    """What code of the project tells of its need for metadata and test modules."""
    sources = (member for member in code if member.path.endswith(".py"))
    return merge(read_facts(member.path, content) for member, content in each_with_content(sources))


def _load(member: Member) -> bytes:
    ((_, content),) = each_with_content([member])
    return content


def _files(kept: Iterable[Kept]) -> frozenset[str]:
    return frozenset(path for one in kept for path in one.files)
