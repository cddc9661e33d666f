"""pipeline: whole builds, with real uv, an index on the loopback address, and a builder that installs nowhere."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.cache import Cache
from lambdabuild.configfile import read_config
from lambdabuild.errors import PolicyError, UsageError
from lambdabuild.ledger import recording
from lambdabuild.model.events import Event
from lambdabuild.model.limits import MAX_UNZIPPED
from lambdabuild.model.plan import Plan
from lambdabuild.model.planning import plan_fat, plan_layers, plan_slim
from lambdabuild.model.report import Artifact, Report, SplitPart
from lambdabuild.model.runtimes import Targets
from lambdabuild.model.slimming import Kept
from lambdabuild.pipeline.build import build, propose_split
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.steps.discover import find_needs
from lambdabuild.steps.resolve import Resolver
from lambdabuild.uv import find_binary
from tests.contract.fake_builder import FakeBuilder
from tests.elves import elf
from tests.index import Index
from tests.provisioning import IMAGE, make_provision
from tests.samples import RUNTIMES, target
from tests.shop import Shop, make_shop
from tests.wheels import wheel

ARN = "arn:aws:lambda:eu-central-1:123456789012:layer:shared:7"
HANDLER = "def handler(event, context): ...\n"
EARLY, LATE = date(2026, 1, 1), date(2040, 1, 1)


@dataclass(frozen=True)
class Works:
    """A project, and the machines that build it."""

    shop: Shop
    builder: FakeBuilder
    events: list[Event]

    def configure(self, tables: str, dependencies: str = "") -> Works:
        """Write pyproject.toml, with these tables below ``tool.lambdabuild``, and lock."""
        head = f'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = [{dependencies}]\n'
        self.shop.write({"pyproject.toml": head + tables.replace("[[", "[tool.lambdabuild.").replace("]]", "]")})
        self.shop.lock()
        return self

    def order(self, plan: Callable[..., Plan], names: tuple[str, ...] = (), **changes: Any) -> Order:
        project = self.shop.project
        config = read_config(project)
        targets = Targets(runtimes=RUNTIMES, requires_python=config.requires_python, default=target())
        chosen = [one for one in config.functions.values() if not names or one.name in names]
        plan = partial(plan, found=find_needs(project, chosen))
        plain = Order(
            project=project,
            config=config,
            plan=plan(config, targets, names),
            output=self.shop.output,
            lock=False,
            clean=False,
            split=False,
            tolerant=False,
            epoch=None,
            today=EARLY,
        )
        return replace(plain, **changes)

    @property
    def machines(self) -> Machines:
        cache = Cache(Path(self.shop.environ["LAMBDABUILD_CACHE_DIR"]))
        resolver = Resolver(
            project=self.shop.project,
            binary=find_binary(),
            uv_version="0",
            environ=self.shop.environ,
            runtimes=RUNTIMES,
            cache=cache,
            upgrade=False,
        )
        provision = make_provision(cache, self.builder, listen=self.events.append)
        return Machines(
            resolver=resolver, builder=self.builder, provision=provision, cache=cache, listen=self.events.append
        )

    def layers(self, **changes: Any) -> Report:
        return build(self.order(plan_layers, **changes), self.machines)

    def slim(self, **changes: Any) -> Report:
        return build(self.order(plan_slim, **changes), self.machines)

    def fat(self, **changes: Any) -> Report:
        return build(self.order(plan_fat, **changes), self.machines)

    def refused(self, plan: Callable[..., Plan], **changes: Any) -> str:
        with pytest.raises(PolicyError) as caught:
            build(self.order(plan, **changes), self.machines)
        assert not self.shop.output.exists()
        return str(caught.value)

    @property
    def installed(self) -> list[list[list[str]]]:
        """The distributions in each room of each installation."""
        return self.builder.laid


@pytest.fixture
def works(tmp_path: Path, index: Index) -> Works:
    """A project with the handler ``api.handler``; one and two are on the index."""
    for version in ("1.0", "2.0"):
        index.add(wheel("one", version, files={"one.py": f"VERSION = '{version}'\n"}))
    index.add(wheel("two", files={"two.py": ""}, requires=["one"]))
    shop = make_shop(tmp_path, index).write({"api.py": HANDLER})
    return Works(shop, FakeBuilder(image=IMAGE), [])


API = '[[functions.api]]\nhandler = "api.handler"\n'
EXTERNAL = f'[[layers.shared]]\narn = "{ARN}"\ndistributions = ["one==1.0"]\nunzipped-size = '


def files(report: Report) -> list[str]:
    return [artifact.file for artifact in report.artifacts]


def messages(report: Report) -> list[str]:
    return [f"{finding.severity}: {finding.message}" for finding in report.findings]


def artifact(report: Report, file: str) -> Artifact:
    return next(one for one in report.artifacts if one.file == file)


# The layer that nobody configured


@pytest.mark.parametrize("dependencies", ["", "\"one; sys_platform == 'win32'\""])
def test_a_default_layer_with_nothing_in_it_is_left_out(works: Works, dependencies: str) -> None:
    works.configure(API, dependencies)
    report = works.slim()
    assert files(report) == ["api.zip"]
    assert artifact(report, "api.zip").layers == ()
    assert artifact(report, "api.zip").provenance.builder == "none"
    assert (report.installed, report.cached, messages(report)) == (0, 0, [])
    assert files(works.fat()) == ["api-fat.zip"]
    assert works.installed == []


def test_a_layer_that_is_asked_for_may_not_be_empty(works: Works) -> None:
    works.configure(API)
    assert works.refused(plan_layers) == (
        "layer.zip would be empty, and Lambda refuses an empty archive\n"
        "  hint: add dependencies or code, or leave the artifact out"
    )


def test_a_layer_that_is_configured_may_not_be_empty(works: Works) -> None:
    works.configure(f"{API}[[layers.base]]\n")
    assert works.refused(plan_slim).startswith("base.zip would be empty, and Lambda refuses an empty archive\n")


def test_a_default_layer_is_attached(works: Works) -> None:
    report = works.configure(API, '"two"').slim()
    assert files(report) == ["layer.zip", "api.zip"]
    assert artifact(report, "api.zip").layers == ("layer",)
    assert works.shop.members("layer.zip") == ["python/one.py", "python/two.py"]
    assert works.shop.members("api.zip") == ["api.py"]


# Layers that others published


def external(works: Works, size: int) -> Works:
    works.configure(f'{EXTERNAL}{size}\n{API}requirements = ["one==1.0", "two"]\n')
    return works


def test_what_an_external_layer_brings_is_not_bundled(works: Works) -> None:
    report = external(works, 5).slim()
    assert files(report) == ["api.zip"]
    assert works.shop.members("api.zip") == ["api.py", "two.py"]
    (layer,) = artifact(report, "api.zip").external_layers
    assert (layer.name, layer.arn, layer.unzipped_size) == ("shared", ARN, 5)
    assert artifact(report, "api.zip").layers == ("shared",)
    works.fat()
    assert works.shop.members("api-fat.zip") == ["api.py", "one.py", "two.py"]


def test_another_version_than_that_of_an_external_layer_is_bundled(works: Works) -> None:
    works.configure(f'{EXTERNAL}5\n{API}requirements = ["one==2.0"]\n')
    assert messages(works.slim()) == [
        "warning: api needs one 2.0, its layer shared brings 1.0; 2.0 is bundled and wins"
    ]
    assert works.shop.members("api.zip") == ["api.py", "one.py"]


def test_an_external_layer_counts_in_the_limit(works: Works) -> None:
    metadata = 68  # bytes of METADATA and top_level.txt of two
    room = MAX_UNZIPPED - len(HANDLER) - metadata
    report = external(works, room).slim()
    assert artifact(report, "api.zip").unzipped_size == len(HANDLER) + metadata
    external(works, room + 1)
    with pytest.raises(PolicyError) as caught:
        works.slim()
    assert str(caught.value) == (
        "api.zip + shared: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:\n"
        f"    {room + 1:,}  {ARN}\n"
        f"             {metadata}  two 1.0\n"
        "             33  (sources)\n"
        "  hint: leave out what the function does not import (exclude, groups), or deploy a container image "
        "(10 GB): https://docs.aws.amazon.com/lambda/latest/dg/images-create.html"
    )
    assert files(works.fat()) == ["api-fat.zip"]
    tolerant = works.slim(tolerant=True)
    assert [message.splitlines()[0] for message in messages(tolerant)] == [
        "warning: api.zip + shared: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000; the largest:"
    ]


# Several layers, several targets


def test_two_versions_in_two_layers(works: Works) -> None:
    layers = [
        f'[[layers.{name}]]\nrequirements = ["one=={version}"]\n' for name, version in (("a", "1.0"), ("b", "2.0"))
    ]
    works.configure(f'{"".join(layers)}{API}requirements = ["one==1.0"]\n')
    assert messages(works.slim()) == [
        "warning: api: its layer a brings one 1.0, its layer b one 2.0; b's files win where they meet",
        "warning: api needs one 1.0, its layer b brings 2.0; 1.0 is bundled and wins",
    ]
    assert works.installed == [[["one 1.0"], ["one 2.0"]]]
    assert [works.shop.members(f"{name}.zip") for name in ("a", "b", "api")] == [
        ["python/one.py"],
        ["python/one.py"],
        ["api.py", "one.py"],
    ]


def test_each_target_is_installed_for(works: Works) -> None:
    old = '[[functions.old]]\nhandler = "api.handler"\npython = "3.12"\nlayers = []\nrequirements = ["one==1.0"]\n'
    report = works.configure(
        f'{API}{old}[[functions.plain]]\nhandler = "api.handler"\nlayers = []\n', '"one==1.0"'
    ).slim()
    assert report.targets == ("python3.13 x86_64", "python3.12 x86_64")
    assert (report.installed, report.cached) == (2, 0)
    assert works.installed == [[["one 1.0"]], [["one 1.0"]]]
    assert set(works.builder.targets) == {target(), target("3.12")}
    assert works.shop.members("plain.zip") == works.shop.members("old.zip") == ["api.py", "one.py"]
    again = works.slim()
    assert (again.installed, again.cached) == (0, 2)
    assert [one.sha256 for one in again.artifacts] == [one.sha256 for one in report.artifacts]


def test_a_runtime_that_is_no_longer_patched_is_told_once(works: Works) -> None:
    works.configure(f'{API}[[functions.web]]\nhandler = "api.handler"\n')
    assert messages(works.slim(today=LATE)) == [
        "warning: python3.13 is deprecated since 2029-06-30: AWS patches it no more, creates no function with it from "
        "2029-07-31 on and updates none from 2029-08-31 on"
    ]


def test_the_layout_of_a_layer(works: Works) -> None:
    works.shop.write({"common/__init__.py": ""})
    works.configure(
        '[[layers.base]]\nlayout = "site-packages"\npackage = "shop"\ncode = ["common"]\n', '"one==1.0"'
    ).layers()
    root = "python/lib/python3.13/site-packages"
    assert works.shop.members("base.zip") == [f"{root}/common/__init__.py", f"{root}/one.py"]


def test_distributions_that_collide(works: Works, index: Index) -> None:
    index.add(wheel("thief", files={"one.py": "MINE = 1\n"}))
    assert works.configure("", '"one==1.0", "thief"').refused(plan_layers) == (
        "one.py: one 1.0 and thief 1.0 bring different files\n"
        "  hint: leave one of the distributions out, or the path with an exclude pattern"
    )


# Slimming


@pytest.fixture
def asking(works: Works, index: Index) -> Works:
    """On the index are three, which has tests, asks, which asks for its files, and tested, which imports a test."""
    index.add(wheel("three", files={"three.py": "", "three_tests/tests/a.py": "", "three/tests/b.py": ""}))
    asks = "from importlib.metadata import files\nfiles('three')\n"
    index.add(wheel("asks", files={"asks.py": asks}, requires=["three"]))
    index.add(wheel("tested", files={"tested.py": "import three.tests.b\n"}, requires=["three"]))
    return works


def test_what_code_needs_is_kept_and_told(asking: Works) -> None:
    report = asking.configure("", '"asks", "tested"').layers()
    assert asking.shop.members("layer.zip") == [
        *("python/asks-1.0.dist-info/RECORD", "python/asks.py", "python/tested-1.0.dist-info/RECORD"),
        *("python/tested.py", "python/three-1.0.dist-info/RECORD", "python/three.py", "python/three/tests/b.py"),
    ]
    assert report.kept == {
        "layer.zip": (
            *(
                Kept(
                    distribution=one,
                    kind="metadata",
                    files=(f"{one}-1.0.dist-info/RECORD",),
                    size=report.kept["layer.zip"][number].size,
                    reasons=("asks.py:1 asks for lists of files",),
                )
                for number, one in enumerate(("asks", "tested", "three"))
            ),
            Kept(
                distribution="three",
                kind="tests",
                files=("three/tests/b.py",),
                size=0,
                reasons=("tested.py:1 imports three.tests.b",),
            ),
        )
    }
    assert asking.layers().kept == report.kept  # from the cache


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        ("strip", []),
        ("keep", [f"three-1.0.dist-info/{name}" for name in ("RECORD", "WHEEL")]),
    ],
)
def test_metadata_without_regard_to_evidence(asking: Works, mode: str, more: list[str]) -> None:
    report = asking.configure(f'[tool.lambdabuild]\ndist-info = "{mode}"\n', '"asks"').layers()
    has_metadata = "python/three-1.0.dist-info/METADATA" in asking.shop.all_members("layer.zip")
    assert has_metadata == (mode == "keep")
    assert [path for path in asking.shop.members("layer.zip") if "/three-" in path] == [f"python/{one}" for one in more]
    assert report.kept == {}


@pytest.mark.parametrize(
    ("mode", "tests"), [("strip", []), ("keep", ["python/three/tests/b.py", "python/three_tests/tests/a.py"])]
)
def test_tests_without_regard_to_evidence(asking: Works, mode: str, tests: list[str]) -> None:
    asking.configure(f'[tool.lambdabuild]\ntests = "{mode}"\n', '"tested"').layers()
    assert [path for path in asking.shop.members("layer.zip") if "/tests/" in path] == tests


def test_a_layer_is_the_same_whatever_else_is_made(asking: Works) -> None:
    asks = "import importlib.metadata\nimportlib.metadata.files('three')\n"
    asking.shop.write({"web.py": f"{asks}{HANDLER}", "ping.py": f"{asks}{HANDLER}"})
    functions = "".join(f'[[functions.{name}]]\nhandler = "{name}.handler"\n' for name in ("web", "gone", "ping"))
    asking.configure(f"{API}{functions}layers = []\n[[layers.layer]]\n", '"three"')
    report = asking.layers()
    assert report.kept["layer.zip"][0].reasons == ("web.py:2 asks for lists of files",)

    def plan_api(*given: Any, found: Any) -> Plan:
        return plan_slim(*given[:2], ("api",), found)

    beside_api = build(asking.order(plan_api), asking.machines)
    assert artifact(beside_api, "layer.zip").sha256 == artifact(report, "layer.zip").sha256


def test_a_function_brings_metadata_that_its_layers_lack(asking: Works) -> None:
    asking.configure(f'{API}requirements = ["asks==1.0"]\n[[layers.layer]]\npackage = "shop"\n', '"three"')
    report = asking.slim()
    assert asking.shop.members("layer.zip") == ["python/three.py"]
    assert asking.shop.all_members("api.zip") == [
        *("api.py", "asks-1.0.dist-info/METADATA", "asks-1.0.dist-info/RECORD", "asks-1.0.dist-info/top_level.txt"),
        *("asks.py", "three-1.0.dist-info/METADATA", "three-1.0.dist-info/RECORD", "three-1.0.dist-info/top_level.txt"),
    ]
    assert [kept.reasons for kept in report.kept["api.zip"]] == [("asks.py:1 asks for lists of files",)] * 2


def test_a_function_keeps_metadata_that_its_layers_look_up(asking: Works, index: Index) -> None:
    index.add(wheel("any", files={"any.py": "import importlib.metadata as m\ndef of(name): return m.files(name)\n"}))
    asking.shop.write({"common/a.py": "import importlib.metadata\nimportlib.metadata.files('three')\n"})
    tables = f'{API}requirements = ["three==1.0"]\n[[layers.layer]]\npackage = "shop"\ncode = ["common"]\n'
    report = asking.configure(tables, '"any"').slim()
    assert asking.shop.members("api.zip") == ["api.py", "three-1.0.dist-info/RECORD", "three.py"]
    assert [kept.reasons for kept in report.kept["api.zip"]] == [
        ("common/a.py:2 asks for lists of files", "any.py:2 asks for lists of files")
    ]


def test_what_a_fat_function_needs_is_kept(asking: Works) -> None:
    asking.shop.write({"api.py": f"import three.tests.b\n{HANDLER}"})
    report = asking.configure(API, '"asks"').fat()
    assert asking.shop.members("api-fat.zip") == [
        *("api.py", "asks-1.0.dist-info/RECORD", "asks.py", "three-1.0.dist-info/RECORD", "three.py"),
        "three/tests/b.py",
    ]
    assert [(kept.files, kept.reasons) for kept in report.kept["api-fat.zip"]] == [
        *(((f"{one}-1.0.dist-info/RECORD",), ("asks.py:1 asks for lists of files",)) for one in ("asks", "three")),
        (("three/tests/b.py",), ("api.py:1 imports three.tests.b",)),
    ]


# What happens on the way


def test_the_steps_are_told_in_order(works: Works) -> None:
    works.configure(API, '"one"')
    (works.shop.project / "uv.lock").unlink()
    works.slim(lock=True)
    told = list(dict.fromkeys(event.text for event in works.events))
    at_once = {"installing for python3.13 x86_64", "reading wheels", "waiting for the installation"}
    assert at_once == set(told[3:6])
    assert [text for text in told if text not in at_once] == [
        "uv lock",
        "reading the lock",
        "fetching 1 file",
        "comparing what was installed",
        "collecting sources",
        "writing archives",
    ]
    assert (works.shop.project / "uv.lock").exists()


def test_a_handler_is_looked_for_before_anything_else(works: Works) -> None:
    works.configure(API.replace("api.handler", "api.handle"), '"one"')
    (works.shop.project / "uv.lock").unlink()
    with pytest.raises(UsageError) as caught:
        works.slim()
    assert str(caught.value) == (
        'functions.api.handler = "api.handle": api.py: it defines no "handle"; did you mean "handler"?'
    )
    assert not works.machines.cache.root.exists()
    assert not works.shop.output.exists()


def test_what_a_handler_does_not_reach_is_told(works: Works) -> None:
    works.shop.write({"web/main.py": f"import web.used\n{HANDLER}", "web/used.py": "", "web/unused.py": ""})
    report = works.configure('[[functions.api]]\nhandler = "web.main.handler"\nsources = "reachable"\n').slim()
    assert report.left_out == {"api.zip": ("web/unused.py",)}
    assert works.shop.members("api.zip") == ["web/main.py", "web/used.py"]


def test_earlier_artifacts_stand_when_a_later_build_fails(works: Works) -> None:
    works.configure(API, '"one"').slim()
    before = {path.name: path.read_bytes() for path in works.shop.output.iterdir()}
    works.configure(f'[[layers.base]]\ncode = ["gone"]\n{API}', '"one"')
    with pytest.raises(UsageError) as caught:
        works.slim()
    assert str(caught.value) == (
        f'layers.base.code[0] = "gone": {works.shop.project / "gone"} does not exist\n'
        "  hint: code lists folders and files relative to pyproject.toml"
    )
    assert {path.name: path.read_bytes() for path in works.shop.output.iterdir()} == before


def test_requirements_are_named_by_their_key(works: Works) -> None:
    works.configure(f'{API}requirements = "gone.txt"\n')
    with pytest.raises(UsageError) as caught:
        works.slim()
    assert str(caught.value) == (
        f'functions.api.requirements = "gone.txt": {works.shop.project / "gone.txt"} does not exist\n'
        "  hint: paths are relative to the project's folder"
    )


# Splitting


def test_a_proposal_writes_nothing(works: Works) -> None:
    order = works.configure("", '"two"').order(plan_layers, split=True)
    proposed = propose_split(order, works.machines)
    assert not works.shop.output.exists()
    (made,) = works.layers().artifacts
    assert proposed == (
        SplitPart(
            name="layer",
            zipped_size=made.zipped_size,
            unzipped_size=made.unzipped_size,
            owners=("one 2.0", "two 1.0"),
        ),
    )


def test_a_layer_that_fits_keeps_its_name_when_it_is_split(works: Works) -> None:
    works.configure("", '"two"')
    assert files(works.layers(split=True)) == ["layer.zip"]
    assert works.shop.members("layer.zip") == ["python/one.py", "python/two.py"]


def test_the_manifest_tells_of_the_run(works: Works) -> None:
    report = external(works, 5).slim(epoch=1_700_000_000)
    manifest = json.loads((works.shop.output / "manifest.json").read_text())
    (told,) = manifest["artifacts"]
    (made,) = report.artifacts
    assert told["distributions"] == [{"name": "two", "version": "1.0", "size": 68, "files": 3, "modules": ["two"]}]
    assert told["ignore_rule"] is None  # one module is packaged, whatever git ignores
    assert told["external_layers"] == [{"name": "shared", "arn": ARN, "unzipped_size": 5}]
    assert (told["handler"], told["runtime"], told["sha256"]) == ("api.handler", "python3.13", made.sha256)
    assert (told["builder"], told["image_digest"], told["uv_version"]) == ("fake", IMAGE.digest, "0")


# The path lint


LINTED = """
[[layers.deps]]
requirements = ["hooked"]
code = ["shop"]

[[functions.api]]
handler = "api.handler"
source = "src"
requirements = false
"""
LINTS = [
    "deps.zip: hooked.pth of hooked 1.0 runs code whenever a function starts: import hooked (line 1)",
    "deps.zip: modules of hooked 1.0 have names of the standard library's, and of each name only one can be imported: "
    "sched.py",
    "deps.zip: hooked 1.0 puts names at the top of the import path that hardly are its own: examples/",
    "api.zip: shop/__init__.py hides modules of deps.zip: shop/shared.py",
]
LINT_HINTS = [
    "Lambda's runtime runs the .pth files of a function and its layers; if this one is not wanted: "
    'exclude = ["/hooked.pth"]',
    'where nothing needs them: exclude = ["/sched.py"]',
    'where nothing imports them: exclude = ["/examples/"]',
    "without __init__.py the parts of a package join (https://peps.python.org/pep-0420/); "
    "or put them into one artifact",
]


@pytest.fixture
def linted(works: Works, index: Index) -> Works:
    """Whatever can be said of import paths, in one project."""
    names = ("hooked.py", "sched.py", "examples/__init__.py", "examples/a.py")
    index.add(wheel("hooked", files={"hooked.pth": "import hooked\n", **dict.fromkeys(names, "")}))
    works.shop.write({"shop/shared.py": "", "src/shop/__init__.py": "", "src/api.py": HANDLER})
    return works


def test_import_paths_are_looked_over(linted: Works) -> None:
    report = linted.configure(LINTED).slim()
    assert [(one.severity, one.message, one.hint) for one in report.findings] == [
        ("warning", message, hint) for message, hint in zip(LINTS, LINT_HINTS, strict=True)
    ]
    assert files(report) == ["deps.zip", "api.zip"]


def test_strict_makes_them_errors_and_earlier_artifacts_stand(linted: Works) -> None:
    linted.configure(LINTED).slim()
    earlier = {path.name: path.read_bytes() for path in linted.shop.output.iterdir()}
    strict = linted.configure("[tool.lambdabuild]\nstrict = true\n" + LINTED)
    linted.shop.write({"src/api.py": HANDLER + "# changed\n"})
    with pytest.raises(PolicyError) as caught:
        strict.slim()
    assert caught.value.exit_code == 3
    assert str(caught.value) == "\n".join(LINTS) + "\n  hint: " + "\n        ".join(LINT_HINTS)
    assert {path.name: path.read_bytes() for path in linted.shop.output.iterdir()} == earlier
    assert messages(strict.slim(tolerant=True)) == [f"warning: {message}" for message in LINTS]
    assert {path.name: path.read_bytes() for path in linted.shop.output.iterdir()} != earlier


def test_strict_covers_sources_that_hide_a_distribution(works: Works) -> None:
    works.shop.write({"one.py": "MINE = 1\n", "two/__init__.py": ""})
    strict = works.configure(
        '[tool.lambdabuild]\nstrict = true\n[[functions.api]]\nhandler = "api.handler"\nsource = "."\n'
        'include = ["/*.py", "/two/"]\n',
        '"two"',
    )
    assert strict.refused(plan_fat) == (
        "api-fat.zip: one.py of the sources hides the one of one 2.0\n"
        "api-fat.zip: two/__init__.py of the sources hides two.py of two 1.0\n"
        "  hint: rename the module, or exclude one of the two"
    )


def test_strict_leaves_other_warnings_what_they_are(works: Works) -> None:
    layers = '[[layers.a]]\nrequirements = ["one==1.0"]\n[[layers.b]]\nrequirements = ["one==2.0"]\n'
    strict = works.configure("[tool.lambdabuild]\nstrict = true\n" + layers + API + "requirements = false\n")
    assert messages(strict.slim(today=LATE)) == [
        "warning: python3.13 is deprecated since 2029-06-30: AWS patches it no more, creates no function with it from "
        "2029-07-31 on and updates none from 2029-08-31 on",
        "warning: api: its layer a brings one 1.0, its layer b one 2.0; b's files win where they meet",
    ]


def test_strict_has_nothing_to_say_of_a_healthy_project(works: Works) -> None:
    strict = works.configure("[tool.lambdabuild]\nstrict = true\n" + API, '"two"')
    assert messages(strict.slim()) == []
    assert messages(strict.fat()) == []


# What stands from an earlier build

TWO_FUNCTIONS = f"""{API}[[functions.web]]
handler = "web.handler"
[[functions.far]]
handler = "far.handler"
layers = ["other"]
[[layers.base]]
[[layers.other]]
requirements = ["two"]
"""


@pytest.fixture
def built(works: Works) -> Works:
    """Three functions and two layers, built, and what was noted forgotten."""
    works.shop.write({"web.py": HANDLER, "far.py": HANDLER})
    works.configure(TWO_FUNCTIONS, '"one==1.0"').slim()
    works.builder.laid.clear()
    return works


def stamps(works: Works) -> dict[str, int]:
    """When and where each archive was written: its inode."""
    return {path.name: path.stat().st_ino for path in works.shop.output.glob("*.zip")}


def rewritten(works: Works, before: dict[str, int]) -> list[str]:
    return sorted(name for name, inode in stamps(works).items() if before.get(name) != inode)


def test_what_is_unchanged_is_left_where_it_stands(built: Works) -> None:
    before, first = stamps(built), built.slim()
    again = built.slim()
    assert rewritten(built, before) == []
    assert again.artifacts == first.artifacts
    assert (again.installed, again.cached) == (0, 3)
    assert built.installed == []


@pytest.mark.parametrize(
    ("change", "made"),
    [
        ({"web.py": HANDLER + "x = 1\n"}, ["web.zip"]),
        ({"far.py": HANDLER + "x = 1\n", "api.py": HANDLER + "y = 2\n"}, ["api.zip", "far.zip"]),
        ({"web.py": HANDLER}, []),
        ({".gitignore": "web.pyc\n"}, []),
    ],
)
def test_only_functions_whose_code_changed_are_made(built: Works, change: dict[str, str], made: list[str]) -> None:
    before = stamps(built)
    built.shop.write(change)
    report = built.slim()
    assert rewritten(built, before) == made
    assert files(report) == ["base.zip", "other.zip", "api.zip", "web.zip", "far.zip"]
    assert fresh_build(built) == {one.file: one.sha256 for one in report.artifacts}


def test_a_layer_that_changes_is_made_and_what_uses_it_looked_at(built: Works) -> None:
    before = stamps(built)
    text = (built.shop.project / "pyproject.toml").read_text()
    built.shop.write({"pyproject.toml": text.replace('"two"', '"one==2.0"')})
    built.shop.lock()
    report = built.slim()
    assert rewritten(built, before) == ["other.zip"]
    assert fresh_build(built) == {one.file: one.sha256 for one in report.artifacts}


def test_evidence_in_code_changes_a_layer(built: Works) -> None:
    before = stamps(built)
    built.shop.write({"web.py": f"import importlib.metadata\nimportlib.metadata.files('one')\n{HANDLER}"})
    report = built.slim()
    assert rewritten(built, before) == ["base.zip", "other.zip", "web.zip"]
    assert "python/one-1.0.dist-info/RECORD" in built.shop.members("base.zip")
    assert fresh_build(built) == {one.file: one.sha256 for one in report.artifacts}


@pytest.mark.parametrize("damage", [b"", b"PK\5\6", None])
def test_an_archive_that_does_not_stand_is_made_again(built: Works, damage: bytes | None) -> None:
    path = built.shop.output / "web.zip"
    whole = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    built.slim()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("changes", [{"epoch": 1_700_000_000}, {"tolerant": True}])
def test_another_order_is_another_build(built: Works, changes: dict[str, Any]) -> None:
    built.slim(**changes)
    assert fresh_build(built, **changes) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built.shop.output.glob("*.zip")
    }


def test_a_handler_that_is_gone_is_missed(built: Works) -> None:
    (built.shop.project / "web.py").write_text("other = 1\n")
    with pytest.raises(UsageError) as caught:
        built.slim()
    assert caught.value.message == 'functions.web.handler = "web.handler": web.py: it defines no "handler"'


# What stands only if what it was made with does


def same_as_fresh(works: Works, **changes: Any) -> bool:
    """Whether what stands is what a build with nothing kept makes."""
    stands = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in works.shop.output.glob("*.zip")}
    return stands == fresh_build(works, **changes)


def test_a_fat_function_is_made_again_when_the_code_of_its_layer_changes(works: Works) -> None:
    works.shop.write({"common/a.py": "A = 1\n"})
    works.configure(f'{API}[[layers.base]]\ncode = ["common"]\n').fat()
    before = stamps(works)
    works.fat()
    assert rewritten(works, before) == []
    works.shop.write({"common/a.py": "A = 2\n"})
    report = works.fat()
    assert rewritten(works, before) == ["api-fat.zip"]
    assert fresh_build(works, of=Works.fat) == {one.file: one.sha256 for one in report.artifacts}


def test_a_fat_function_does_not_look_at_the_code_of_others(works: Works) -> None:
    works.shop.write({"web.py": HANDLER})
    works.configure(f'{API}[[functions.web]]\nhandler = "web.handler"\n[[layers.base]]\n', '"one==1.0"')
    with recording() as ledger:
        works.fat(names=("api",))
    assert str(works.shop.project / "web.py") not in ledger.take()
    with recording() as ledger:
        works.slim(names=("api",))
    assert str(works.shop.project / "web.py") in ledger.take()


@pytest.fixture
def lending(asking: Works) -> Works:
    """A function with a distribution that its layer's code may look up, built."""
    asking.shop.write({"common/a.py": "A = 1\n"})
    tables = f'{API}requirements = ["three==1.0"]\n[[layers.base]]\ncode = ["common"]\n'
    asking.configure(tables).slim()
    return asking


def test_a_function_is_made_again_when_its_layer_was_without_it(lending: Works) -> None:
    before = stamps(lending)
    lending.shop.write({"common/a.py": "import importlib.metadata\nimportlib.metadata.files('three')\n"})
    lending.layers()
    assert rewritten(lending, before) == ["base.zip"]
    report = lending.slim()
    assert "three-1.0.dist-info/RECORD" in lending.shop.members("api.zip")
    assert same_as_fresh(lending)
    assert report.kept["api.zip"][0].reasons == ("common/a.py:2 asks for lists of files",)
    settled = stamps(lending)
    assert lending.slim().kept == report.kept
    assert rewritten(lending, settled) == []


def test_a_layer_that_is_back_where_it_was_leaves_its_functions_alone(lending: Works) -> None:
    lending.shop.write({"common/a.py": "A = 2\n"})
    lending.layers()
    lending.shop.write({"common/a.py": "A = 1\n"})
    lending.layers()
    lending.builder.laid.clear()
    before = stamps(lending)
    lending.slim()
    assert rewritten(lending, before) == []


def test_a_layer_that_no_longer_fits_is_refused_with_its_function(works: Works) -> None:
    works.shop.write({"common/a.py": "A = 1\n"})
    room = MAX_UNZIPPED - len(HANDLER) - len("A = 1\n")
    tables = f'[[layers.shared]]\narn = "{ARN}"\nunzipped-size = {room}\n[[layers.base]]\ncode = ["common"]\n'
    works.configure(tables + API).slim()
    works.shop.write({"common/a.py": "A = 10\n"})
    works.layers()
    with pytest.raises(PolicyError) as caught:
        works.slim()
    assert str(caught.value).startswith(
        "api.zip + shared + base.zip: 262,144,001 bytes unzipped, 1 over Lambda's 262,144,000"
    )


def test_what_a_project_names_itself_is_part_of_what_is_made(works: Works, index: Index) -> None:
    """The same pins; but what only boto3 needs is left to the runtime, unless the project names it."""
    index.add(wheel("boto3", files={"boto3.py": ""}, requires=["one"]))
    index.add(wheel("plain", files={"plain.py": ""}))
    layer = '[[layers.base]]\nboto3 = "runtime"\n'
    works.configure(layer, '"plain", "boto3", "one"').layers()
    assert works.shop.members("base.zip") == ["python/one.py", "python/plain.py"]
    works.configure(layer, '"plain", "boto3"').layers()
    assert works.shop.members("base.zip") == ["python/plain.py"]


TABLES = f"""{API}[[layers.a]]
requirements = ["one==1.0"]
[[layers.b]]
requirements = ["one==2.0"]
"""


@pytest.mark.parametrize(
    "tables",
    [
        TABLES.replace(API, f'{API}layers = ["b", "a"]\n'),
        TABLES.replace(API, f'{API}layers = ["b"]\n'),
        TABLES[: TABLES.index("[[layers.b]]")],
        TABLES.replace(API, f'{API}exclude = ["one.py"]\n'),
        TABLES.replace(API, f'{API}keep = ["WHEEL"]\n'),
        TABLES.replace(API, f'{API}source = "."\ninclude = ["/api.py", "/data.txt"]\n'),
        TABLES.replace('"one==2.0"', '"two"'),
        '[tool.lambdabuild]\ndist-info = "keep"\n' + TABLES,
        '[tool.lambdabuild]\nbytecode = "compile"\n' + TABLES,
        '[tool.lambdabuild]\ncompression = "small"\n' + TABLES,
        '[tool.lambdabuild]\nexclude = ["one-*/", "data.txt"]\n' + TABLES,
    ],
    ids=["order", "fewer", "removed", "exclude", "keep", "include", "needs", "slimming", "transforms", "small", "all"],
)
@pytest.mark.parametrize("of", [Works.slim, Works.fat], ids=["slim", "fat"])
def test_another_configuration_is_another_build(works: Works, tables: str, of: Callable[..., Report]) -> None:
    works.shop.write({"data.txt": "data\n"})
    works.configure(TABLES, '"one==1.0"')
    of(works)
    report = of(works.configure(tables, '"one==1.0"'))
    assert {one.file: one.sha256 for one in report.artifacts} == fresh_build(works, of=of)
    assert report.findings == of(works).findings


def test_a_small_archive_is_told_of_and_stands(works: Works) -> None:
    chance = random.Random(1)
    known = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(3, 9))) for _ in range(3_000)]
    works.shop.write({"words.txt": " ".join(chance.choices(known, k=15_000))})
    asked = f'{API}source = "."\nexclude = ["*.toml"]\n[tool.lambdabuild]\ncompression = '
    made = {choice: artifact(works.configure(f'{asked}"{choice}"\n').slim(), "api.zip") for choice in ("fast", "small")}
    fast, small = made["fast"], made["small"]
    assert fast.content_digest == small.content_digest
    assert fast.recompressed is None
    assert small.recompressed == fast.zipped_size - small.zipped_size > 500
    assert fast.provenance.compressor == "libdeflate 6 (deflate 0.9.0)"
    assert small.provenance.compressor == "libdeflate 6 and 10 (deflate 0.9.0)"
    before = stamps(works)
    assert artifact(works.slim(), "api.zip") == small
    assert rewritten(works, before) == []
    assert artifact(works.configure(f'{asked}"fast"\n').slim(), "api.zip") == fast
    assert rewritten(works, before) == ["api.zip"]


def test_slim_and_fat_archives_of_a_function_stand_beside_each_other(built: Works) -> None:
    built.fat()
    before = stamps(built)
    built.slim()
    built.fat()
    assert rewritten(built, before) == []
    assert len(before) == 8


MORE = """layers = ["deps"]
[[layers.a]]
requirements = ["one==1.0"]
[[layers.b]]
requirements = ["one==2.0"]
[[functions.web]]
handler = "web.handler"
layers = ["a", "b"]
requirements = false
"""


@pytest.mark.parametrize("edited", ["web.py", "src/api.py", "shop/shared.py"])
def test_what_is_to_be_said_of_what_stands_is_said_again(linted: Works, edited: str) -> None:
    linted.shop.write({"web.py": HANDLER})
    first = messages(linted.configure(LINTED + MORE).slim())
    assert first == [
        "warning: web: its layer a brings one 1.0, its layer b one 2.0; b's files win where they meet",
        *(f"warning: {message}" for message in LINTS),
    ]
    assert messages(linted.slim()) == first
    linted.shop.write({edited: (linted.shop.project / edited).read_text() + "x = 1\n"})
    assert messages(linted.slim()) == first


def test_trouble_of_a_layer_is_told_once_whichever_function_is_made(works: Works, index: Index) -> None:
    needy = elf(needed=["libdemo.so.3"])
    index.add(wheel("native", files={"native.py": "import _native\n", "_native.abi3.so": needy, "lone.so": needy}))
    works.shop.write({"web.py": HANDLER})
    functions = f'{API}requirements = false\n[[functions.web]]\nhandler = "web.handler"\nrequirements = false\n'
    works.configure(functions + "[[layers.base]]\n", '"native"')
    first = works.slim(tolerant=True)
    (told,) = messages(first)
    assert told.startswith(
        "warning: native 1.0: _native.abi3.so and 1 more file need libdemo.so.3, which neither api.zip"
    )
    works.shop.write({"web.py": HANDLER + "x = 1\n"})
    assert works.slim(tolerant=True).findings == first.findings
    works.shop.write({"api.py": HANDLER + "x = 1\n"})
    assert works.slim(tolerant=True).findings == first.findings


def test_a_layer_is_not_judged_alone_while_its_function_stands(works: Works, index: Index) -> None:
    """What the layer lacks, the function brings."""
    index.add(wheel("native", files={"native.py": "import _native\n", "_native.abi3.so": elf(needed=["libdemo.so.3"])}))
    index.add(wheel("demo", files={"lib/libdemo.so.3": elf(soname="libdemo.so.3"), "demo.py": ""}))
    works.shop.write({"common/a.py": "A = 1\n"})
    tables = f'{API}requirements = ["demo"]\n[[layers.base]]\nrequirements = ["native"]\ncode = ["common"]\n'
    assert messages(works.configure(tables).slim()) == []
    works.shop.write({"common/.gitignore": "*.txt\n"})
    assert messages(works.slim()) == []


def test_fingerprints_do_not_depend_on_the_process() -> None:
    program = (
        "from lambdabuild.pipeline.fingerprints import Teller\n"
        "from tests.samples import function_plan, layer_plan\n"
        "print(Teller().tell(function_plan(attached=(layer_plan(),))))\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


def test_an_edit_reads_what_was_edited(built: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdabuild.ledger._TICK", 0)
    built.slim()
    built.shop.write({"web.py": HANDLER + "x = 1\n"})
    opened: set[Path] = set()
    is_open = True

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if is_open and event == "open" and isinstance(args[0], str):
            opened.add(Path(args[0]))

    sys.addaudithook(hear)
    built.slim()
    is_open = False
    assert {path.name for path in opened if path.parent == built.shop.project and path.suffix == ".py"} == {"web.py"}
    assert not [path.name for path in opened if path.parent == built.shop.output and path.suffix == ".zip"]


def test_what_is_told_of_an_artifact_does_not_depend_on_what_else_is_made(works: Works) -> None:
    works.shop.write({"web.py": HANDLER})
    lone = '[[functions.web]]\nhandler = "web.handler"\nlayers = []\nrequirements = false\n'
    first = works.configure(f"{API}{lone}[[layers.base]]\n", '"one==1.0"').slim()
    assert [one.provenance.builder for one in first.artifacts] == ["fake", "fake", "none"]
    works.shop.write({"web.py": HANDLER + "x = 1\n"})
    works.slim()
    works.shop.write({"web.py": HANDLER})
    assert works.slim().artifacts == first.artifacts


def test_what_users_of_a_layer_tell_is_read_again_when_it_was_damaged(built: Works) -> None:
    text = f"import importlib.metadata\nimportlib.metadata.files('one')\n{HANDLER}"
    built.shop.write({"web.py": text})
    report = built.slim()
    cache = built.machines.cache
    (path,) = (cache.version / "evidence").iterdir()
    known = json.loads(cache.find_text("evidence", path.name) or "")
    for damaged in ("", "[]", "7", "{", json.dumps({key: {} for key in known}), json.dumps(dict.fromkeys(known, 7))):
        cache.store_text("evidence", path.name, damaged)
        assert built.slim().artifacts == report.artifacts


def test_python_does_not_warn_of_code_that_is_read(asking: Works) -> None:
    code = f"import importlib.metadata\nimportlib.metadata.files('three')\nDIGIT = '\\d'\n{HANDLER}"
    asking.shop.write({"api.py": code, "common/a.py": code})
    asking.configure(f'{API}sources = "reachable"\n[[layers.base]]\npackage = "shop"\ncode = ["common"]\n', '"three"')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asking.slim()
        asking.fat()
    assert [str(one.message) for one in caught if one.category is not ResourceWarning] == []
    assert "python/three-1.0.dist-info/RECORD" in asking.shop.members("base.zip")


def test_waiting_for_what_removes_from_the_cache_is_told(works: Works) -> None:
    works.configure(API).slim()
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from lambdabuild.locks import held\n"
        "with held(Path(sys.argv[1])):\n"
        "    print(flush=True)\n"
        "    sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    argv = [sys.executable, "-c", program, works.machines.cache.usage_lock]
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe) as remover:
        assert remover.stdin is not None
        assert remover.stdout is not None
        remover.stdout.readline()
        stdin = remover.stdin

        def listen(event: Event) -> None:
            works.events.append(event)
            if event.phase == "wait":
                stdin.close()

        build(works.order(plan_slim), replace(works.machines, listen=listen))
    assert [event.text for event in works.events if event.phase == "wait"] == [
        "waiting for lambdabuild cache prune or clear to end"
    ]


def fresh_build(works: Works, *, of: Callable[..., Report] = Works.slim, **changes: Any) -> dict[str, str]:
    """What a build into an empty folder, with nothing kept, makes of the same project."""
    cache = str(works.shop.project.parent / f"cache-{len(list(works.shop.project.parent.iterdir()))}")
    shop = replace(works.shop, environ={**works.shop.environ, "LAMBDABUILD_CACHE_DIR": cache})
    report = of(replace(works, shop=shop), output=works.shop.project.parent / f"{Path(cache).name}-out", **changes)
    return {one.file: one.sha256 for one in report.artifacts}
