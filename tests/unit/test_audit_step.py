"""steps.audit: which files are looked at together, and when an image is asked for its libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lambdabuild.builders.base import Image
from lambdabuild.cache import Cache
from lambdabuild.inspection import inspect
from lambdabuild.model.events import Event
from lambdabuild.model.facts import merge
from lambdabuild.model.limits import Finding
from lambdabuild.model.patterns import distribution_rules
from lambdabuild.model.plan import ExternalPlan, FunctionPlan, LayerPlan, Plan
from lambdabuild.model.segment import Segment
from lambdabuild.model.target import Target
from lambdabuild.model.tree import Tree, overlaid, prefixed, segment_tree, source_tree
from lambdabuild.steps.audit import Libraries, audit, libraries_of
from tests.contract.fake_builder import FakeBuilder
from tests.elves import AARCH64, elf
from tests.samples import RUNTIMES, content, function_plan, layer_plan, member, segment, target

ARM = target("3.13", "arm64")
NEEDS = elf(needed=["libdemo.so.3"])
BRINGS = elf(soname="libdemo.so.3")
MESSAGE = "demo 1.0: demo/_fast.abi3.so needs libdemo.so.3, which neither {} nor the python3.13 image has"


def installed(name: str, files: Mapping[str, bytes]) -> Segment:
    """A segment with the facts that an installation reads."""
    made = segment(name, "1.0", *(member(path, data) for path, data in sorted(files.items())))
    return replace(made, facts=merge(inspect(one.path, content(one)) for one in made.members))


def tree(segments: Iterable[Segment] = (), code: Mapping[str, bytes] | None = None) -> Tree:
    below = segment_tree(segments, distribution_rules())
    return overlaid(below, source_tree(member(path, data) for path, data in (code or {}).items()), name="")[0]


def nothing(_: Target) -> frozenset[str]:
    return frozenset()


def audited(
    layers: Mapping[LayerPlan, Tree],
    functions: Mapping[FunctionPlan, Tree],
    segments: Iterable[Segment] = (),
    *,
    of: Target | None = None,
    libraries: Libraries = nothing,
) -> list[Finding]:
    below = {layer: prefixed(one, layer.root) for layer, one in layers.items()}
    trees = {plan.file: one for plan, one in (*below.items(), *functions.items())}
    found = audit(
        Plan(layers=tuple(layers), functions=tuple(functions)),
        trees,
        {layer.name: one for layer, one in below.items()},
        {of or target(): segments},
        libraries=libraries,
        runtimes=RUNTIMES,
    )
    return list({key: finding for one in reversed(found.values()) for key, finding in one.items()}.values())


def messages(findings: Iterable[Finding]) -> list[str]:
    return [finding.message for finding in findings]


DEMO = installed("demo", {"demo/__init__.py": b"from . import _fast", "demo/_fast.abi3.so": NEEDS})
LIB = installed("lib", {"lib/libdemo.so.3": BRINGS})


def test_a_layer_alone() -> None:
    assert messages(audited({layer_plan(): tree([DEMO])}, {}, [DEMO])) == [MESSAGE.format("layer.zip")]
    assert audited({layer_plan(): tree([DEMO, LIB])}, {}, [DEMO, LIB]) == []
    site = layer_plan(root="python/lib/python3.13/site-packages/")
    assert messages(audited({site: tree([DEMO])}, {}, [DEMO])) == [MESSAGE.format("layer.zip")]


def test_a_function_brings_what_its_layer_needs() -> None:
    layer = layer_plan()
    function = function_plan(attached=(layer,))
    assert audited({layer: tree([DEMO])}, {function: tree([LIB])}, [DEMO, LIB]) == []
    assert audited({layer: tree([LIB])}, {function: tree([DEMO])}, [DEMO, LIB]) == []
    assert audited({layer: tree([DEMO])}, {function: tree(code={"lib/libdemo.so.3": BRINGS})}, [DEMO]) == []
    assert messages(audited({layer: tree([DEMO])}, {function: tree()}, [DEMO])) == [
        MESSAGE.format("api.zip + layer.zip")
    ]


def test_what_a_layer_needs_is_told_once() -> None:
    layer = layer_plan()
    functions = {function_plan(name, attached=(layer,)): tree() for name in ("api", "worker")}
    assert messages(audited({layer: tree([DEMO])}, functions, [DEMO])) == [MESSAGE.format("api.zip + layer.zip")]
    functions = {function_plan("api", attached=(layer,)): tree([LIB]), function_plan("w", attached=(layer,)): tree()}
    found = audited({layer: tree([DEMO])}, functions, [DEMO, LIB])
    assert messages(found) == [MESSAGE.format("w.zip + layer.zip")]


def test_a_layer_that_others_published() -> None:
    external = ExternalPlan(name="shared", arn="arn", unzipped_size=1, distributions={}, python=None, architecture=None)
    plan = Plan(layers=(), functions=(function_plan(attached=(external,)),))
    trees = {"api.zip": tree([DEMO])}
    told = audit(plan, trees, {}, {target(): [DEMO]}, libraries=nothing, runtimes=RUNTIMES)
    (found,) = told["api.zip"].values()
    assert (found.severity, found.message) == (
        "warning",
        MESSAGE.format("api.zip") + "; the layers of others may",
    )


def test_files_that_are_left_out_do_not_count() -> None:
    rules = distribution_rules(exclude=["/demo/_fast.abi3.so"])
    assert audited({layer_plan(): segment_tree([DEMO], rules)}, {}, [DEMO]) == []


def test_each_target_has_its_own_files() -> None:
    arm = installed("demo", {"demo/_fast.abi3.so": elf(AARCH64)})
    layer = layer_plan(target=ARM)
    assert audited({layer: tree([arm])}, {}, [arm], of=ARM) == []
    plan = Plan(layers=(layer,), functions=())
    trees = {layer.file: prefixed(tree([arm]), layer.root)}
    both = {target(): [DEMO], ARM: [arm]}
    assert audit(plan, trees, {"layer": trees["layer.zip"]}, both, libraries=nothing, runtimes=RUNTIMES) == {}


def test_application_code() -> None:
    """Whatever a file is called, it is its first bytes that count; stored and deflated."""
    code = {
        "api.py": b"import tool",
        "bin/tool": elf(AARCH64),
        "bin/short": elf(AARCH64) + bytes(5000),
        "a.so": b"text",
    }
    assert audited({}, {function_plan(): tree(code=code)}) == [
        Finding(
            severity="error",
            code="binary-machine",
            message="(sources): bin/short and 1 more file are for arm64, not for python3.13 x86_64",
            hint='compile it for python3.13 x86_64, or leave them out: exclude = ["/bin/short", "/bin/tool"]',
        )
    ]
    layer = layer_plan()
    found = audited({layer: tree(code={"common/tool.so": elf(AARCH64)})}, {})
    assert messages(found) == ["(sources): common/tool.so is for arm64, not for python3.13 x86_64"]


def test_code_that_goes_on_without_a_file() -> None:
    tries = b"try:\n    from . import _fast\nexcept ImportError:\n    pass\n"
    demo = installed("demo", {"demo/__init__.py": tries, "demo/_fast.abi3.so": NEEDS})
    assert [one.severity for one in audited({layer_plan(): tree([demo])}, {}, [demo])] == ["warning"]


def test_an_image_is_asked_for_what_is_missing_alone() -> None:
    asked: list[Target] = []

    def libraries(of: Target) -> frozenset[str]:
        asked.append(of)
        return frozenset({"libdemo.so.3"})

    plain = installed("plain", {"plain.so": elf(needed=["libc.so.6"])})
    assert audited({layer_plan(): tree([plain])}, {}, [plain], libraries=libraries) == []
    assert asked == []
    assert audited({layer_plan(): tree([DEMO])}, {}, [DEMO], libraries=libraries) == []
    assert asked == [target()]


class Counting(FakeBuilder):
    """Counts how often it is asked for an image, and for its libraries."""

    asked = 0
    looked = 0

    def image(self, target: Target, *, listen: Callable[[Event], None]) -> Image | None:
        self.looked += 1
        return super().image(target, listen=listen)

    def libraries(self, target: Target, *, listen: Callable[[Event], None]) -> frozenset[str] | None:
        self.asked += 1
        return super().libraries(target, listen=listen)


def ignore(_: Event) -> None:
    pass


def test_an_image_tells_its_libraries_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.ensure()
    image = Image(reference="image", digest="sha256:" + "12" * 32)
    builder = Counting(image=image, libraries=frozenset({"libGL.so.1", "libX11.so.6"}))
    libraries = libraries_of({}, builder=builder, cache=cache, listen=ignore)
    for _ in range(2):
        assert libraries(target()) == {"libGL.so.1", "libX11.so.6"}
    assert (builder.looked, builder.asked) == (1, 1)
    later = libraries_of({target(): image}, builder=builder, cache=cache, listen=ignore)
    assert later(target()) == {"libGL.so.1", "libX11.so.6"}
    assert (builder.looked, builder.asked) == (1, 1)
    other = replace(image, digest="sha256:" + "34" * 32)
    assert libraries_of({target(): other}, builder=builder, cache=cache, listen=ignore)(target())
    assert (builder.looked, builder.asked) == (1, 2)


def test_without_an_image_nothing_is_known(tmp_path: Path) -> None:
    builder = Counting()
    libraries = libraries_of({target(): None}, builder=builder, cache=Cache(tmp_path), listen=ignore)
    for _ in range(2):
        assert libraries(target()) is None
    assert (builder.looked, builder.asked) == (1, 0)


def test_a_layer_that_functions_outside_of_the_plan_attach_is_not_judged_alone() -> None:
    layer = layer_plan()
    plan = Plan(layers=(layer,), functions=())
    below = prefixed(tree([DEMO]), layer.root)
    told = [
        audit(
            plan,
            {"layer.zip": below},
            {"layer": below},
            {target(): [DEMO]},
            libraries=nothing,
            runtimes=RUNTIMES,
            used=used,
        )
        for used in ((), ("layer",))
    ]
    assert [list(one) for one in told] == [["layer.zip"], []]


def test_a_library_that_a_rule_left_out() -> None:
    """The hint names the rule, and the line that brings it back."""
    files = {"demo/__init__.py": b"from . import _fast", "demo/_fast.abi3.so": NEEDS, "demo.libs/libdemo.so.3": BRINGS}
    demo = installed("demo", files)
    whole = tree([demo])
    layer = layer_plan(exclude=("*.so.3",))
    without = Tree({path: entry for path, entry in whole.entries.items() if not path.endswith(".so.3")})
    (finding,) = audited({layer: without}, {}, [demo])
    assert finding.message == MESSAGE.format("layer.zip")
    assert finding.hint == (
        'exclude "*.so.3" left out python/demo.libs/libdemo.so.3: keep = ["demo.libs/libdemo.so.3"] in '
        "[tool.lambdabuild] brings it back"
    )


def test_an_extension_module_without_a_tag() -> None:
    """It is imported as one with a tag, whoever imports it."""
    module = elf(needed=["libdemo.so.3"]) + b"PyInit_m\0"
    demo = installed("demo", {"demo/__init__.py": b"", "demo/m.so": module, "demo/n.so": module})
    (finding,) = audited({layer_plan(): tree([demo])}, {}, [demo])
    assert (finding.severity, finding.message) == (
        "error",
        "demo 1.0: demo/m.so needs libdemo.so.3, which neither layer.zip nor the python3.13 image has",
    )
