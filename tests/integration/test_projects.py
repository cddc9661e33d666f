"""Every layout of a project: built by both builders to the same bytes, and run in the Lambda image."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from integration.lambda_image import Answer, LambdaImage
from integration.projects_case import PROJECTS, Case, read_cases, snapshot

CASES = read_cases()
BUILDERS = ("docker", "host")


@dataclass(frozen=True)
class Build:
    """What one builder made of a project."""

    output: Path
    slim: Mapping
    """As ``--json`` tells it."""
    fat: Mapping

    def report(self, *, fat: bool) -> Mapping:
        return self.fat if fat else self.slim

    def artifacts(self, *, fat: bool) -> dict[str, Mapping]:
        return {artifact["path"]: artifact for artifact in self.report(fat=fat)["artifacts"]}

    def names(self, file: str) -> list[str]:
        with zipfile.ZipFile(self.output / file) as archive:
            return archive.namelist()

    def sha256(self) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(self.output.glob("*.zip"))}


@dataclass(frozen=True)
class Built:
    """A project and what both builders made of it."""

    case: Case
    builds: Mapping[str, Build]
    changed: dict[str, bytes]
    """Files of the project that differ after the builds."""

    @property
    def build(self) -> Build:
        return self.builds["docker"]


@pytest.fixture(scope="module")
def cold_caches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A cache for each builder: neither lives on what the other made."""
    return {builder: tmp_path_factory.mktemp(f"cache-{builder}") for builder in BUILDERS}


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def built(
    request: pytest.FixtureRequest,
    lambdabuild: Callable,
    cold_caches: Mapping[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    case: Case = request.param
    folder = tmp_path_factory.mktemp(case.name)
    project = case.copied(folder / "project")
    before = snapshot(folder / "project")

    def build(builder: str) -> Build:
        output = folder / builder
        env = {"LAMBDABUILD_CACHE_DIR": str(cold_caches[builder])}
        options = ("--project", project, "--output", output, "--builder", builder, "--json")
        slim, fat = (
            json.loads(lambdabuild("package", mode, *options, env=env).stdout) for mode in ("--layer", "--fat")
        )
        return Build(output, slim, fat)

    with ThreadPoolExecutor() as pool:
        builds = dict(zip(BUILDERS, pool.map(build, BUILDERS), strict=True))
    after = snapshot(folder / "project")
    changed = {
        path: after.get(path, b"") for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    }
    return Built(case, builds, changed)


def test_both_builders_make_the_same_bytes(built: Built) -> None:
    assert built.builds["host"].sha256() == built.builds["docker"].sha256()
    assert built.build.sha256()


def test_the_project_is_as_it_was(built: Built) -> None:
    assert built.changed == {}


@pytest.mark.parametrize("fat", [False, True], ids=["slim", "fat"])
def test_the_archives_hold_what_they_should(fat: bool, built: Built) -> None:
    artifacts, expected = built.build.artifacts(fat=fat), built.case.archives(fat=fat)
    if not fat:
        assert sorted(artifacts) == sorted(expected)
    for file, wanted in expected.items():
        artifact, names = artifacts[file], built.build.names(file)
        distributions = [f"{share['name']} {share['version']}" for share in artifact["distributions"]]
        found = {
            "files": names,
            "code": [name for name in names if name in wanted.get("code", ())],
            "distributions": distributions,
            "layers": artifact["layers"],
            "runtime": artifact["runtime"],
        }
        assert {key: found[key] for key in wanted} == wanted, file
        if "code" in wanted:
            assert len(names) == len(wanted["code"]) + sum(share["files"] for share in artifact["distributions"])


def test_no_archive_holds_editables_or_metadata(built: Built) -> None:
    for file in built.build.sha256():
        names = built.build.names(file)
        assert [name for name in names if name.endswith((".pth", ".egg-link")) or "editable" in name] == []
        assert [name for name in names if ".dist-info/" in name or ".egg-info/" in name] == []


@pytest.mark.parametrize("fat", [False, True], ids=["slim", "fat"])
def test_the_report_tells_what_the_user_should_know(fat: bool, built: Built) -> None:
    for build in built.builds.values():
        report = build.report(fat=fat)
        assert [finding["message"] for finding in report["findings"]] == built.case.warnings(fat=fat)
        assert report["left_out"] == built.case.left_out(fat=fat)


def test_every_function_answers_in_the_image(
    built: Built, docker_client: docker.DockerClient, image_for: Callable[[str], str], tmp_path: Path
) -> None:
    """Slim with its layers in their order, and fat; but for what is not for this machine."""

    def invoke(artifact: Mapping) -> Answer:
        made = {path.stem: path for path in built.build.output.glob("*.zip")}
        image = LambdaImage(docker_client, image_for(artifact["runtime"].removeprefix("python")))
        return image.invoke(
            function=built.build.output / artifact["path"],
            layers=[made.get(layer) or built.case.published(layer, tmp_path) for layer in artifact["layers"]],
            handler=artifact["handler"],
            event=built.case.event(artifact["name"]),
        )

    functions = [
        (artifact, fat)
        for fat in (False, True)
        for artifact in built.build.artifacts(fat=fat).values()
        if artifact["kind"] != "layer" and artifact["architecture"] == "x86_64"
    ]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(invoke, (artifact for artifact, _ in functions)))
    for (artifact, fat), answer in zip(functions, answers, strict=True):
        assert answer.error is None, f"{artifact['path']}\n{answer.log}"
        assert answer.payload == built.case.expected(artifact["name"], fat=fat), artifact["path"]
    assert {artifact["name"] for artifact, _ in functions} == {
        path.stem for path in (built.case.folder / "expected").glob("*.json") if not path.stem.endswith("-fat")
    }
