"""A cache hit is a rebuild: builds with and without what the cache holds, be that whole, damaged, or misplaced."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lambdabuild.cache import Cache
from lambdabuild.configfile import read_config
from lambdabuild.model.events import ignore
from lambdabuild.model.needs import Found
from lambdabuild.model.planning import plan_fat, plan_slim
from lambdabuild.model.report import Artifact, Report
from lambdabuild.model.runtimes import Targets
from lambdabuild.pipeline.build import build
from lambdabuild.pipeline.order import Machines, Order
from lambdabuild.steps.resolve import Resolver
from lambdabuild.uv import find_binary
from tests.contract.fake_builder import FakeBuilder
from tests.elves import elf
from tests.index import Index
from tests.provisioning import IMAGE, make_provision
from tests.removals import wait_for_removals
from tests.samples import RUNTIMES, runtime, target
from tests.shop import Shop, make_shop
from tests.wheels import wheel

PYPROJECT = """\
[project]
name = "shop"
version = "1"
requires-python = ">=3.10"
dependencies = ["one"]

[tool.lambdabuild]
strip-symbols = true
bytecode = "compile"

[tool.lambdabuild.layers.base]
[tool.lambdabuild.layers.other]
requirements = ["two"]

[tool.lambdabuild.functions.api]
handler = "api.handler"

[tool.lambdabuild.functions.far]
handler = "far.handler"
architecture = "arm64"
requirements = ["one"]
layers = []
"""
HANDLER = "import importlib.metadata\n\n\ndef handler(event, context):\n    return importlib.metadata.version('one')\n"
LIBRARY = "libodd.so.1"
"""Which the image has, and not every instance of the runtime surely."""
KINDS = {"artifacts", "exports", "images", "libraries", "resolutions"}
"""What a build without a sandbox surely keeps and knows; ``builds`` is the command line's."""
WORK = {"compared", "indexes", "patches"}
"""What it need not do again."""


@dataclass(frozen=True)
class Place:
    """A project, and a cache and an output folder of its own."""

    shop: Shop
    index: Index
    cache: Cache
    output: Path
    builders: list[FakeBuilder] = field(default_factory=list)

    def build(self) -> list[Artifact]:
        """Slim zips, their layers and fat zips; what they are, and what the report tells of each."""
        artifacts = [one for plan in (plan_slim, plan_fat) for one in self._built(plan).artifacts]
        for one in artifacts:
            assert hashlib.sha256((self.output / one.file).read_bytes()).hexdigest() == one.sha256
        return artifacts

    def _built(self, plan: Callable[..., Any]) -> Report:
        project = self.shop.project
        config = read_config(project)
        order = Order(
            project=project,
            config=config,
            plan=plan(config, Targets(runtimes=RUNTIMES, requires_python=">=3.10", default=target()), (), Found()),
            output=self.output,
            lock=False,
            clean=False,
            split=False,
            tolerant=False,
            epoch=None,
            today=runtime("3.10").deprecation.replace(year=2026, month=1),
        )
        self.builders.append(FakeBuilder(image=IMAGE, libraries=frozenset({LIBRARY})))
        resolver = Resolver(
            project=project,
            binary=find_binary(),
            uv_version="0",
            environ=self.shop.environ,
            runtimes=RUNTIMES,
            cache=self.cache,
            upgrade=False,
        )
        builder = self.builders[-1]
        provision = make_provision(self.cache, builder)
        machines = Machines(resolver=resolver, builder=builder, provision=provision, cache=self.cache, listen=ignore)
        return build(order, machines)

    def worked(self) -> tuple[int, int]:
        """Distributions that were installed and files that were transformed since this was asked last."""
        installed = [name for one in self.builders for rooms in one.laid for room in rooms for name in room]
        transformed = [path for one in self.builders for paths in one.transformed for path in paths]
        self.builders.clear()
        return len(installed), len(transformed)

    def forget(self) -> Place:
        """Remove the artifacts, and what is known of them."""
        shutil.rmtree(self.output, ignore_errors=True)
        shutil.rmtree(self.cache.version / "artifacts", ignore_errors=True)
        return self

    def wheels(self) -> list[Path]:
        return sorted((self.cache.version / "wheels").glob("*/*"))

    def kinds(self) -> set[str]:
        """Of what is known."""
        return {path.name for path in self.cache.version.iterdir() if path.is_dir()} - {"wheels"} - WORK

    def texts(self, kind: str) -> list[Path]:
        return sorted((self.cache.version / kind).iterdir())


@pytest.fixture
def place(tmp_path: Path, index: Index) -> Place:
    index.add(
        wheel(
            "one",
            files={"one/__init__.py": "ONE = 1\n", "one/_one.so": b"code[symbols]", "one/tests/test_one.py": ""},
            launchers={"one": "one:main"},
        )
    )
    binary = elf(needed=[LIBRARY])
    index.add(wheel("two", files={"two.py": "TWO = 2\n", "two.so": binary, "two.txt": "t" * 99}, requires=["one"]))
    shop = make_shop(tmp_path, index).write({"pyproject.toml": PYPROJECT, "api.py": HANDLER, "far.py": HANDLER})
    return Place(shop.lock(), index, Cache(tmp_path / "cache"), tmp_path / "out")


@pytest.fixture
def warm(place: Place) -> tuple[Place, list[Artifact]]:
    """A place whose cache is full, and what was built there from nothing."""
    made = place.build()
    installed, transformed = place.worked()
    assert installed == 3
    assert transformed > 0
    assert place.kinds() >= KINDS
    assert all(place.texts(kind) for kind in WORK)
    return place, made


def test_a_build_from_the_cache_is_a_build_from_nothing(warm: tuple[Place, list[Artifact]], tmp_path: Path) -> None:
    place, made = warm
    assert [one.file for one in made] == ["base.zip", "other.zip", "api.zip", "far.zip", "api-fat.zip", "far-fat.zip"]
    assert place.build() == made
    assert place.forget().build() == made
    assert place.worked() == (0, 0)
    elsewhere = tmp_path / "else" / "where"
    shutil.copytree(place.shop.project, elsewhere)
    other = replace(
        place,
        shop=replace(place.shop, project=elsewhere),
        cache=Cache(tmp_path / "another" / "cache"),
        output=tmp_path / "another" / "out",
        builders=[],
    )
    assert other.build() == made
    assert other.worked()[0] == 3
    assert replace(other, cache=place.cache, output=tmp_path / "third").build() == made
    assert other.worked() == (0, 0)


def test_entries_that_are_made_again_are_the_same(warm: tuple[Place, list[Artifact]]) -> None:
    """The cache itself is a function of its keys."""
    place, _ = warm
    before = {path: path.read_bytes() for path in made_once(place)}
    shutil.rmtree(place.cache.root)
    place.forget().build()
    assert {path: path.read_bytes() for path in made_once(place)} == before


def made_once(place: Place) -> list[Path]:
    return [*place.wheels(), *(path for kind in sorted(WORK) for path in place.texts(kind))]


def flipped(whole: bytes, place: int) -> bytes:
    return bytes([*whole[:place], whole[place] ^ 1, *whole[place + 1 :]])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "first": lambda whole: flipped(whole, 0),
    "the middle": lambda whole: flipped(whole, len(whole) // 2),
    "last": lambda whole: flipped(whole, len(whole) - 1),
    "truncated": lambda whole: whole[:-1],
    "extended": lambda whole: whole + b"\0",
    "empty": lambda whole: b"",
    "zeros": lambda whole: bytes(len(whole)),
}


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_wheels_are_fetched_again(
    warm: tuple[Place, list[Artifact]], damage: Callable[[bytes], bytes], index: Index
) -> None:
    place, made = warm
    whole = {path: path.read_bytes() for path in place.forget().wheels()}
    for path, content in whole.items():
        overwrite(path, damage(content))
    index.requests.clear()
    assert place.build() == made
    assert len([path for path, _ in index.requests if path.endswith(".whl")]) == len(whole)
    assert {path: path.read_bytes() for path in whole} == whole
    assert place.worked() == (0, 0)


def test_wheels_in_each_others_places_are_noticed(warm: tuple[Place, list[Artifact]]) -> None:
    place, made = warm
    paths = place.forget().wheels()
    contents = [path.read_bytes() for path in paths]
    for path, other in zip(paths, [*contents[1:], contents[0]], strict=True):
        overwrite(path, other)
    assert place.build() == made
    assert [path.read_bytes() for path in paths] == contents


TEXT_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "first": lambda whole: flipped(whole, 0),
    "the digest": lambda whole: flipped(whole, 40),
    "the line's end": lambda whole: flipped(whole, 64),
    "the text": lambda whole: flipped(whole, 65),
    "the middle": lambda whole: flipped(whole, (65 + len(whole)) // 2),
    "last": lambda whole: flipped(whole, len(whole) - 1),
    "digits": lambda whole: whole[:65] + whole[65:].translate(bytes.maketrans(b"0123456789", b"1234567890")),
    "another word": lambda whole: whole[:65] + whole[65:].replace(b"a", b"4"),
    "half": lambda whole: whole[: len(whole) // 2],
    "the digest alone": lambda whole: whole[:65],
    "truncated": lambda whole: whole[:-1],
    "extended": lambda whole: whole + b"\n",
    "without its digest": lambda whole: whole[65:],
    "an empty object": lambda whole: b"{}",
    "empty": lambda whole: b"",
    "no text": lambda whole: b"\xff\xfe\0",
}


@pytest.mark.parametrize("damage", TEXT_DAMAGES.values(), ids=TEXT_DAMAGES)
def test_damaged_texts_change_nothing(warm: tuple[Place, list[Artifact]], damage: Callable[[bytes], bytes]) -> None:
    place, made = warm
    for stands in (True, False):
        for kind in place.kinds():
            for path in place.texts(kind):
                path.write_bytes(damage(path.read_bytes()))
        assert (place if stands else place.forget()).build() == made
        assert place.worked() == (0, 0)


@pytest.mark.parametrize("damage", TEXT_DAMAGES.values(), ids=TEXT_DAMAGES)
def test_what_was_damaged_is_done_again(warm: tuple[Place, list[Artifact]], damage: Callable[[bytes], bytes]) -> None:
    place, made = warm
    place.forget()
    for kind in WORK:
        for path in place.texts(kind):
            path.write_bytes(damage(path.read_bytes()))
    assert place.build() == made
    installed, transformed = place.worked()
    assert installed == 3
    assert transformed > 0
    assert place.forget().build() == made
    assert place.worked() == (0, 0)


def test_work_in_the_place_of_other_work_is_done_again(warm: tuple[Place, list[Artifact]]) -> None:
    place, made = warm
    place.forget()
    paths = [path for kind in sorted(WORK) for path in place.texts(kind)]
    contents = [path.read_bytes() for path in paths]
    for path, other in zip(paths, [*contents[1:], contents[0]], strict=True):
        path.write_bytes(other)
    assert place.build() == made
    assert place.worked()[0] == 3


def test_texts_in_each_others_places_change_nothing(warm: tuple[Place, list[Artifact]]) -> None:
    place, made = warm
    paths = [path for kind in sorted(place.kinds()) for path in place.texts(kind)]
    contents = [path.read_bytes() for path in paths]
    for shift in range(1, len(paths)):
        for path, other in zip(paths, [*contents[shift:], *contents[:shift]], strict=True):
            path.write_bytes(other)
        assert place.build() == made
        for path in paths:
            assert path.exists()


WRONG: tuple[object, ...] = (None, 5, "", "x", True, [], {}, [5], {"x": 5})


def lies(document: Any) -> Iterator[Any]:
    """The document with each of its values in turn replaced by such as are of other types."""
    yield from WRONG
    if isinstance(document, dict):
        for name, value in document.items():
            yield {other: of for other, of in document.items() if other != name}
            yield from ({**document, name: lie} for lie in lies(value))
    if isinstance(document, list):
        for place, value in enumerate(document):
            yield from ([*document[:place], lie, *document[place + 1 :]] for lie in lies(value))


def test_what_is_told_of_images_in_another_shape_changes_nothing(warm: tuple[Place, list[Artifact]]) -> None:
    """No damage gives that, but another lambdabuild might write it."""
    place, made = warm
    for path in place.texts("images"):
        for lie in lies(json.loads(place.cache.find_text("images", path.name) or "")):
            place.cache.store_text("images", path.name, json.dumps(lie))
            assert place.build() == made, lie


def test_processes_that_build_at_once_install_once(place: Place, tmp_path: Path) -> None:
    shop = place.shop.write({"pyproject.toml": re.sub("strip-symbols.*|bytecode.*", "", PYPROJECT)}).lock()
    outputs = [tmp_path / f"out-{number}" for number in range(4)]
    for _ in range(2):
        processes = [shop.start("package", "--builder", "host", "--json", "--output", one) for one in outputs]
        ended = [process.communicate() for process in processes]
        assert [process.returncode for process in processes] == [0] * 4, ended
        told = [json.loads(out) for out, _ in ended]
        assert sum(one["distributions_installed"] for one in told) == 3
        made = [{path.name: path.read_bytes() for path in sorted(one.glob("*.zip"))} for one in outputs]
        assert list(made[0]) == ["api.zip", "base.zip", "far.zip", "other.zip"]
        assert made == made[:1] * 4
        wait_for_removals()
        files = [path.relative_to(place.cache.version) for path in place.cache.version.rglob("*") if path.is_file()]
        assert [str(path) for path in files if path.parts[0] not in {*place.kinds(), *WORK, "wheels"}] == []
        assert list(place.cache.locks.glob("*.claim")) == []
        assert [path for path in files if path.name.startswith(".new-") or path.suffix == ".damaged"] == []
        for folder in (*(place.cache.version / kind for kind in ("wheels", "indexes", "builds")), *outputs):
            shutil.rmtree(folder)
