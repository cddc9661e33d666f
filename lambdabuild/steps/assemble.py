"""Trees of a plan: which distributions and which code each artifact holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lambdabuild.model.compatible import check_bound
from lambdabuild.model.evidence import is_test, of_distribution, read_facts
from lambdabuild.model.facts import Facts, Lookup, merge
from lambdabuild.model.limits import Finding, Sized, check_files, check_unzipped
from lambdabuild.model.patterns import NOTHING, TEST_RULES, code_rules, distribution_rules
from lambdabuild.model.plan import ExternalPlan, FunctionPlan, LayerPlan, Plan
from lambdabuild.model.segment import Member, Segment
from lambdabuild.model.shares import Given, leave_sdk, subtract, wanted_beside, warn_of_shared
from lambdabuild.model.slimming import Kept, Part, Spared, left_out_note, spare
from lambdabuild.model.tree import SOURCES, Tree, overlaid, prefixed, segment_tree, source_tree
from lambdabuild.zipformat import each_with_content


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an artifact is made from."""

    segments: tuple[Segment, ...]
    """Of everything that it needs."""
    direct: tuple[str, ...]
    """What those are there for, as requirements."""
    code: tuple[Member, ...]
    findings: tuple[Finding, ...] = ()
    """What was found when the code was collected."""
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
    separate = {layer.name: layer for layer in plan.layers}
    separate |= {layer.name: layer for function in plan.functions for layer in function.attached_layers}
    findings: dict[str, list[Finding]] = {layer.file: [] for layer in separate.values()}
    findings |= {function.file: [] for function in plan.functions}
    notes = _Notes(findings)
    made = {name: _make_layer(layer, layers[name], notes) for name, layer in separate.items()}
    drafts = {layer.file: made[name].tree for name, layer in separate.items()}
    for function in plan.functions:
        content = functions[function.name]
        findings[function.file] += content.findings
        if function.kind == "function":
            drafts[function.file] = _slim(function, content, made, notes)
        else:
            drafts[function.file] = _fat(function, content, layers, notes)
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
    for layer in plan.layers:
        if layer.others:
            names = [target.runtime.name for target in layer.targets]
            findings[layer.file] += check_bound(trees[layer.file].entries, name=layer.file, runtimes=names)
    for file, tree in trees.items():
        findings[file] += check_files(file, len(tree.entries))
    return Assembled(
        trees=trees,
        layers=separated,
        findings={file: tuple(found) for file, found in findings.items()},
        kept={file: notes.kept[file] for file in trees if notes.kept.get(file)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _MadeLayer:
    tree: Tree
    given: Given
    root: str
    direct: tuple[str, ...]
    lookups: tuple[Lookup, ...]
    """Of what is in it."""


@dataclass(slots=True)
class _Notes:
    """What is found on the way, by artifact file."""

    findings: dict[str, list[Finding]]
    kept: dict[str, tuple[Kept, ...]] = field(default_factory=dict)

    def take(self, file: str, spared: Spared) -> None:
        self.kept[file] = spared.kept
        self.findings[file] += left_out_note(file, spared.left_out)


def _make_layer(layer: LayerPlan, content: Content, notes: _Notes) -> _MadeLayer:
    findings = notes.findings[layer.file]
    findings += content.findings
    segments, shared, found = leave_sdk(
        content.segments, content.direct, layer.target, sdk=layer.sdk, artifact=layer.file
    )
    findings += found + warn_of_shared(shared, artifact=layer.file)
    code = _code_part(layer, content)
    part = Part(segments=segments, rules=distribution_rules(layer.exclude, layer.keep, slimming=layer.slimming))
    own = _facts(content.code)
    spared = spare([part, code], layer.slimming, merge((own, content.users)), _load)
    notes.take(layer.file, spared)
    below = segment_tree(segments, part.rules, spared.files)
    tree, hidden = overlaid(below, _code_tree(code, spared), name=layer.file)
    findings += hidden
    return _MadeLayer(
        tree=prefixed(tree, layer.root),
        given=_given(layer, segments),
        root=layer.root,
        direct=content.direct,
        lookups=own.lookups
        + tuple(one for segment in segments for one in segment.facts.lookups if one.path in below.entries),
    )


def _code_part(layer: LayerPlan, content: Content) -> Part:
    """The code of a layer as slimming sees it. A folder of tests that the configuration names stays."""
    has_tests = layer.slimming.tests != "keep" and any(is_test(member.path) for member in content.code)
    slimmed = tuple(f"/*/**/{rule}" for rule in TEST_RULES) if has_tests else ()
    facts = of_distribution(_facts(content.code), [member.path for member in content.code])
    code = Segment(name=SOURCES, version="", requires=(), members=content.code, facts=facts)
    return Part(segments=(code,) if content.code else (), rules=code_rules(slimmed, layer.keep))


def _code_tree(code: Part, spared: Spared) -> Tree:
    members = (member for segment in code.segments for member in segment.members)
    return source_tree(one for one in members if code.rules.takes(one.path) or one.path in spared.files)


def _given(layer: LayerPlan, segments: Iterable[Segment], function: FunctionPlan | None = None) -> Given:
    """What a layer brings, and the distributions of which its patterns take nothing that runs."""
    artifacts = (layer, function) if function else (layer,)
    exclude = [pattern for one in artifacts for pattern in one.exclude]
    rules = distribution_rules(exclude, [pattern for one in artifacts for pattern in one.keep])
    versions, left_out = {}, set()
    for segment in segments:
        code = [one.path for one in segment.members if not one.path.partition("/")[0].endswith(".dist-info")]
        if code and not any(rules.takes(path[:-1] if path.endswith(".pyc") else path) for path in code):
            left_out.add(segment.name)
        else:
            versions[segment.name] = segment.version
    return Given(layer=layer.name, versions=versions, left_out=frozenset(left_out))


def _beside(
    function: FunctionPlan, content: Content, given: Sequence[Given], direct: Iterable[str]
) -> tuple[tuple[Segment, ...], list[Finding]]:
    """The distributions of a function that its layers neither give nor leave out; ``direct`` is what these require."""
    known = frozenset(direct)
    own = [line for line in content.direct if line not in known]
    wanted = frozenset[str]()
    if any(one.left_out for one in given):
        wanted = wanted_beside(given, content.segments, own, function.target)
    return subtract(content.segments, given, function=function.name, wanted=wanted)


def _slim(function: FunctionPlan, content: Content, made: Mapping[str, _MadeLayer], notes: _Notes) -> Tree:
    """The function's code, and what it needs and its layers do not give; of what they give the metadata with the list
    of files that its own distributions ask for and they do not have."""
    findings = notes.findings[function.file]
    layers = [made[layer.name] for layer in function.attached_layers]
    given = [
        Given(layer=layer.name, versions=layer.distributions)
        if isinstance(layer, ExternalPlan)
        else made[layer.name].given
        for layer in function.attached
    ]
    segments, shared, found = leave_sdk(
        content.segments, content.direct, function.target, sdk=function.sdk, artifact=function.file
    )
    bundled, more = _beside(
        function, replace(content, segments=segments), given, (line for layer in layers for line in layer.direct)
    )
    if not any(layer.sdk == "runtime" for layer in function.attached_layers):  # which says so itself
        findings += found
    findings += more + warn_of_shared(shared & {segment.name for segment in bundled}, artifact=function.file)
    rules = distribution_rules(function.exclude, function.keep, slimming=function.slimming)
    names = {name for one in given for name in one.versions}
    lacking = tuple(one for one in segments if one.name in names and one not in bundled and not _has_list(layers, one))
    parts = [
        Part(segments=bundled, rules=rules),
        Part(segments=lacking, rules=rules, elsewhere=True),
    ]
    code = merge((_facts(content.code), Facts(lookups=tuple(one for layer in layers for one in layer.lookups))))
    spared = spare(parts, function.slimming, code, _load)
    notes.take(function.file, spared)
    below = segment_tree(bundled, rules, spared.files)
    lent = segment_tree(lacking, NOTHING, spared.files)
    return _with_code(function, Tree({**below.entries, **lent.entries}), content, findings)


def _fat(function: FunctionPlan, content: Content, layers: Mapping[str, Content], notes: _Notes) -> Tree:
    """Everything: the layers, later ones over earlier ones as Lambda lays them into /opt, and over them the function's
    own. Of a distribution that comes in several versions only the one that wins is packaged."""
    findings = notes.findings[function.file]
    bundled = [layers[layer.name] for layer in function.bundled]
    given = [_given(layer, layers[layer.name].segments, function) for layer in function.bundled]
    direct = [line for one in bundled for line in one.direct]
    own, found = _beside(function, content, given, direct)
    findings += found
    winners = {segment.name: segment for part in (*(one.segments for one in bundled), own) for segment in part}
    remaining, shared, found = leave_sdk(
        tuple(winners[name] for name in sorted(winners)),
        (*direct, *content.direct),
        function.target,
        sdk=function.sdk,
        artifact=function.file,
    )
    findings += found + warn_of_shared(shared, artifact=function.file)
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
    code = [*(_code_part(layer, layers[layer.name]) for layer in function.bundled), Part(segments=(), rules=NOTHING)]
    facts = merge(_facts(one.code) for one in (*bundled, content))
    spared = spare([*parts, *code], function.slimming, facts, _load)
    notes.take(function.file, spared)
    bundle = Tree({})
    for part, brought in zip(parts, code, strict=True):
        below = segment_tree(part.segments, part.rules, spared.files)
        tree, hidden = overlaid(below, _code_tree(brought, spared), name=function.file)
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


def _has_list(layers: Iterable[_MadeLayer], segment: Segment) -> bool:
    """Whether one of these layers has the list of a distribution's files."""
    lists = [one.path for one in segment.members if one.path.endswith(".dist-info/RECORD")]
    return any(layer.root + path in layer.tree.entries for layer in layers for path in lists)


def _facts(code: Iterable[Member]) -> Facts:
    """What code of the project tells of its need for lists of files and for files of tests."""
    sources = (member for member in code if member.path.endswith(".py"))
    return merge(read_facts(member.path, content) for member, content in each_with_content(sources))


def _load(member: Member) -> bytes:
    ((_, content),) = each_with_content([member])
    return content
