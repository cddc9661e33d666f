"""Every layout of a project: built by both builders to the same bytes, and run in the Lambda image."""

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
from integration.lambda_image import Answer, LambdaImage
from integration.projects_case import Case, read_cases, snapshot

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
    changed: list[str]
    """Files of the project that are not as they were before the builds."""

    @property
    def build(self) -> Build:
        return self.builds["docker"]


@pytest.fixture(scope="module")
def cold_caches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A cache for each builder: neither lives on what the other made."""
    return {builder: tmp_path_factory.mktemp(f"cache-{builder}") for builder in BUILDERS}


@pytest.fixture(scope="module")
def building(
    request: pytest.FixtureRequest,
    lambdabuild: Callable,
    cold_caches: Mapping[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, Future[Built]]]:
    """The projects that are asked for, built while the functions of those before them run in the image."""

    def build(case: Case, folder: Path) -> Built:
        project = case.copied(folder / "project")
        before = snapshot(folder / "project")
        builds = {}
        for builder in BUILDERS:
            output = folder / builder
            env = {"LAMBDABUILD_CACHE_DIR": str(cold_caches[builder])}
            options = ("--project", project, "--output", output, "--builder", builder, "--json")
            slim = lambdabuild("package", *options, env=env)
            fat = lambdabuild("package", "--fat", *options, env=env)
            builds[builder] = Build(output, json.loads(slim.stdout), json.loads(fat.stdout))
        after = snapshot(folder / "project")
        changed = [path for path in before | after if before.get(path) != after.get(path)]
        return Built(case, builds, changed)

    asked = {item.callspec.params["built"].name for item in request.session.items if _is_of_a_project(item)}
    with ThreadPoolExecutor(3) as pool:
        yield {
            case.name: pool.submit(build, case, tmp_path_factory.mktemp(case.name))
            for case in CASES
            if case.name in asked
        }
        pool.shutdown(cancel_futures=True)


def _is_of_a_project(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "built" in getattr(getattr(item, "callspec", None), "params", {})


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def built(request: pytest.FixtureRequest, building: Mapping[str, Future[Built]]) -> Built:
    return building[request.param.name].result()


def test_both_builders_make_the_same_bytes(built: Built) -> None:
    assert built.builds["host"].sha256() == built.builds["docker"].sha256()
    assert built.build.sha256()


def test_the_project_is_as_it_was(built: Built) -> None:
    assert built.changed == []


METADATA = re.compile(r"\.dist-info/(METADATA|entry_points\.txt|top_level\.txt)$")
"""What stays of every distribution's metadata."""


@pytest.mark.parametrize("fat", [False, True], ids=["slim", "fat"])
def test_the_archives_hold_what_they_should(fat: bool, built: Built) -> None:
    artifacts, expected = built.build.artifacts(fat=fat), built.case.archives(fat=fat)
    if not fat:
        assert sorted(artifacts) == sorted(expected)
    for file, wanted in expected.items():
        artifact, names = artifacts[file], built.build.names(file)
        distributions = [f"{share['name']} {share['version']}" for share in artifact["distributions"]]
        found = {
            "files": [name for name in names if not METADATA.search(name)],
            "code": [name for name in names if name in wanted.get("code", ())],
            "distributions": distributions,
            "layers": artifact["layers"],
            "runtime": artifact["runtime"],
        }
        assert {key: found[key] for key in wanted} == wanted, file
        described = [name for name in names if name.endswith(".dist-info/METADATA")]
        assert len(described) == len(distributions)
        assert {name.replace("METADATA", "top_level.txt") for name in described} <= set(names)
        if "code" in wanted:
            assert len(names) == len(wanted["code"]) + sum(share["files"] for share in artifact["distributions"])


def test_no_archive_holds_an_editable(built: Built) -> None:
    for file in built.build.sha256():
        names = built.build.names(file)
        assert [name for name in names if name.endswith((".pth", ".egg-link")) or "editable" in name] == []


@pytest.mark.parametrize("fat", [False, True], ids=["slim", "fat"])
def test_the_report_tells_what_the_user_should_know(fat: bool, built: Built) -> None:
    for build in built.builds.values():
        report = build.report(fat=fat)
        assert [finding["message"] for finding in report["findings"]] == built.case.warnings(fat=fat)
        assert report["left_out"] == built.case.left_out(fat=fat)


def test_every_function_answers_in_the_image(
    built: Built, docker_client: docker.DockerClient, image_for: Callable[[str], str], tmp_path: Path
) -> None:
    """Slim with its layers in their order, and fat where that is another zip; but for what is not for this machine."""

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
    slim = {artifact["sha256"]: artifact["layers"] for artifact, fat in functions if not fat}
    functions = [(artifact, fat) for artifact, fat in functions if not fat or slim.get(artifact["sha256"]) != []]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(invoke, (artifact for artifact, _ in functions)))
    for (artifact, fat), answer in zip(functions, answers, strict=True):
        assert answer.error is None, f"{artifact['path']}\n{answer.log}"
        assert answer.payload == built.case.expected(artifact["name"], fat=fat), artifact["path"]
    assert {artifact["name"] for artifact, _ in functions} == {
        path.stem for path in (built.case.folder / "expected").glob("*.json") if not path.stem.endswith("-fat")
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a project: pyproject.toml from the text of its tables, a function, and more files."""

    def write(tables: str, name: str = "project", files: Mapping[str, str] | None = None) -> Path:
        project = tmp_path / name
        (project / "functions").mkdir(parents=True)
        (project / "functions" / "api.py").write_text("def handler(event, context):\n    return event\n")
        pyproject = f'[project]\nname = "shop"\nversion = "1.0.0"\n{tables}'
        for path, text in {"pyproject.toml": pyproject, **(files or {})}.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text)
        return project

    return write


def test_unpinned_requirements_are_resolved_once(lambdabuild: Callable, tmp_path: Path) -> None:
    """Again only with ``--upgrade``, or other settings: where no index answers that is what fails."""
    case = next(case for case in CASES if case.name == "requirements-unpinned")
    project = case.copied(tmp_path / "project")
    (tmp_path / "uv.toml").write_text('[[index]]\nurl = "http://127.0.0.1:9/simple"\ndefault = true\n')
    offline = {"UV_CONFIG_FILE": str(tmp_path / "uv.toml"), "UV_CACHE_DIR": str(tmp_path / "empty")}
    cache = {"LAMBDABUILD_CACHE_DIR": str(tmp_path / "cache"), "UV_HTTP_RETRIES": "0"}
    command = ("package", "--project", project, "--builder", "host", "--json")
    done = lambdabuild("-v", *command, env=cache)
    assert "'pip', 'compile'" in done.stderr
    first = json.loads(done.stdout)
    shutil.rmtree(project / "dist")
    done = lambdabuild("-v", *command, env=cache)
    assert "'pip', 'compile'" not in done.stderr
    again = json.loads(done.stdout)
    assert (first["distributions_installed"], again["distributions_installed"]) == (3, 0)
    assert [one["sha256"] for one in again["artifacts"]] == [one["sha256"] for one in first["artifacts"]]
    assert "'pip', 'compile'" in lambdabuild("-v", *command, "--upgrade", env=cache).stderr
    done = lambdabuild(*command, env=cache | offline, code=4)
    (error,) = (event for event in map(json.loads, done.stderr.splitlines()) if event["event"] == "error")
    assert error["message"].startswith("resolving requirements/aws.txt failed; uv says:\n")


def test_equal_dependency_sets_meet_the_same_cache_entries(
    lambdabuild: Callable, write: Callable, tmp_path: Path
) -> None:
    def build(name: str, layer: str, files: Mapping[str, str] | None = None) -> tuple[int, str]:
        project = write(f'[tool.lambdabuild]\npython = "3.13"\n[tool.lambdabuild.layers.deps]\n{layer}', name, files)
        cache = {"LAMBDABUILD_CACHE_DIR": str(tmp_path / "cache")}
        done = lambdabuild("layer", "--project", project, "--builder", "host", "--json", env=cache)
        report = json.loads(done.stdout)
        return report["distributions_installed"], report["artifacts"][0]["sha256"]

    installed, digest = build("list", 'requirements = ["six==1.17.0", "idna==3.10"]')
    assert installed == 2
    assert build("order", 'requirements = ["idna == 3.10", "Six==1.17.0"]') == (0, digest)
    files = {"all.txt": "# Everything.\n-r more/some.txt\nidna==3.10  # and this\n", "more/some.txt": "six==1.17.0\n"}
    assert build("files", 'requirements = "all.txt"', files) == (0, digest)
    installed, other = build("changed", 'requirements = ["six==1.16.0", "idna==3.10"]')
    assert (installed, other == digest) == (1, False)


FUNCTION = """
[tool.lambdabuild.functions.api]
handler = "functions/api.handler"
"""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A project that cannot be built."""

    why: str
    tables: str
    files: Mapping[str, str] = field(default_factory=dict)
    code: int = 2
    error: str
    """All of it; ``{project}`` is the project's folder."""


REFUSED = [
    Refused(
        why="a runtime that requires-python excludes",
        tables=f'requires-python = ">=3.12"{FUNCTION}python = "3.11"',
        error='functions.api.python = "3.11": python 3.11 is excluded by requires-python = ">=3.12"\n'
        "  hint: choose one of 3.12, 3.13, 3.14, 3.15",
    ),
    Refused(
        why="a layer for another target",
        tables=f'[tool.lambdabuild.layers.deps]\nrequirements = ["six"]\npython = "3.11"'
        f'{FUNCTION}architecture = "arm64"',
        error='the function "api" is for python3.14 arm64, its layer "deps" for python3.11 x86_64\n'
        "  hint: a function and its layers share runtime and architecture: "
        "set python and architecture of one of the two",
    ),
    Refused(
        why="a file of requirements that is missing",
        tables=f'[tool.lambdabuild.layers.deps]\nrequirements = "requirements/aws.txt"{FUNCTION}',
        error='layers.deps.requirements = "requirements/aws.txt": {project}/requirements/aws.txt does not exist\n'
        "  hint: paths are relative to the project's folder",
    ),
    Refused(
        why="a pylock.toml that is missing",
        tables=f'{FUNCTION}pylock = "pylock.toml"',
        error='functions.api.pylock = "pylock.toml": {project}/pylock.toml does not exist\n'
        "  hint: paths are relative to the project's folder",
    ),
    Refused(
        why="requirements that go round",
        tables=FUNCTION,
        files={"functions/requirements.txt": "-r more/a.txt\n", "functions/more/a.txt": "\n-c ../requirements.txt\n"},
        error="{project}/functions/more/a.txt:2: ../requirements.txt: "
        "the requirements files name each other in a circle",
    ),
    Refused(
        why="requirements that lead nowhere",
        tables=FUNCTION,
        files={"functions/requirements.txt": "six\n-r more/a.txt\n"},
        error="{project}/functions/requirements.txt:2: more/a.txt: {project}/functions/more/a.txt does not exist",
    ),
    Refused(
        why="a lock of Poetry",
        tables=f'dependencies = ["six"]{FUNCTION}',
        files={"poetry.lock": ""},
        code=3,
        error="{project} has no uv.lock\n"
        "  hint: uvx migrate-to-uv   (in {project}: it takes poetry.lock over into pyproject.toml and uv.lock)",
    ),
    Refused(
        why="a project of Poetry",
        tables="",
        files={"poetry.lock": "", "pyproject.toml": f'[tool.poetry]\nname = "shop"\n{FUNCTION}'},
        error="the dependencies of {project} are in poetry.lock, which lambdabuild does not read: it reads uv.lock, "
        "pylock.toml and requirements files\n"
        "  hint: uvx migrate-to-uv   (in {project}: it takes poetry.lock over into pyproject.toml and uv.lock)",
    ),
    Refused(
        why="a lock of Pipenv",
        tables=f'dependencies = ["six"]{FUNCTION}',
        files={"Pipfile": "", "Pipfile.lock": "{}"},
        code=3,
        error="{project} has no uv.lock\n"
        "  hint: uvx migrate-to-uv   (in {project}: it takes Pipfile.lock over into pyproject.toml and uv.lock)",
    ),
    *(
        Refused(
            why=f"dependencies in {file} alone",
            tables=FUNCTION,
            files={file: text},
            error=f"the dependencies of {{project}} are in {file}, which lambdabuild does not read: it reads uv.lock, "
            f"pylock.toml and requirements files\n  hint: {hint}",
        )
        for file, text, hint in (
            (
                "Pipfile",
                '[packages]\nsix = "*"\n',
                "uvx migrate-to-uv   (in {project}: it takes Pipfile over into pyproject.toml and uv.lock)",
            ),
            (
                "pdm.lock",
                "",
                "pdm export --without-hashes -o requirements.txt   (in {project}: that file is read; --without GROUP "
                "leaves out what is for development)",
            ),
        )
    ),
    Refused(
        why="six layers",
        tables="".join(f'[tool.lambdabuild.layers.l{n}]\nrequirements = ["six"]\n' for n in range(6)) + FUNCTION,
        error="{project}/pyproject.toml: tool.lambdabuild.functions.api.layers: "
        "unset, which means all 6 layers; a function has at most 5",
    ),
]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.why)
def test_what_cannot_be_built_is_told_with_its_place(refused: Refused, write: Callable, lambdabuild: Callable) -> None:
    project = write(refused.tables, files=refused.files)
    done = lambdabuild("package", "--project", project, "--builder", "host", code=refused.code)
    error = refused.error.replace("{project}", str(project))
    assert done.stderr[done.stderr.index("error: ") :] == f"error: {error}\n"
    assert not (project / "dist").exists()


def test_a_pipfile_without_a_pyproject(lambdabuild: Callable, tmp_path: Path) -> None:
    (tmp_path / "Pipfile.lock").write_text("{}")
    done = lambdabuild("package", "--project", tmp_path, code=2)
    assert done.stderr == (
        f"error: --project: no pyproject.toml, lambdabuild.toml or requirements.txt in {tmp_path}\n"
        '  hint: write [project] with name = "NAME" and version = "0.1.0" into pyproject.toml, then: '
        f"uvx migrate-to-uv   (in {tmp_path}: it takes Pipfile.lock over into pyproject.toml and uv.lock)\n"
    )


def test_a_runtime_past_its_date_is_warned_of(write: Callable, lambdabuild: Callable) -> None:
    project = write(f'{FUNCTION}python = "3.10"')
    done = lambdabuild("package", "--project", project, "--builder", "host")
    assert done.stderr.endswith(
        "warning: python3.10 is deprecated since 2026-10-31: AWS patches it no more, creates no function with it from "
        "2026-11-30 on and updates none from 2027-01-15 on\n"
        "  hint: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html\n"
    )


@pytest.mark.parametrize("mode", ["--layer", "--fat"])
def test_versions_that_differ_are_told_with_the_order_of_precedence(
    mode: str, write: Callable, lambdabuild: Callable
) -> None:
    """And the archives hold them as they are told."""
    project = write(
        '[tool.lambdabuild.layers.first]\nrequirements = ["six==1.16.0", "idna==3.10"]\n'
        '[tool.lambdabuild.layers.second]\nrequirements = ["six==1.17.0"]\n'
        f'{FUNCTION}requirements = ["six==1.16.0", "idna==3.7"]'
    )
    done = lambdabuild("package", mode, "--project", project, "--builder", "host")
    assert done.stderr.endswith(
        "warning: api: its layer first brings six 1.16.0, its layer second six 1.17.0; "
        "second's files win where they meet\n"
        "warning: api needs idna 3.7, its layer first brings 3.10; 3.7 is bundled and wins\n"
        "warning: api needs six 1.16.0, its layer second brings 1.17.0; 1.16.0 is bundled and wins\n"
        "  hint: a function's own files come first, then those of its layers, a later layer's over an earlier one's: "
        "https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html\n"
    )
    manifest = json.loads((project / "dist" / "lambda" / "manifest.json").read_text())
    api = next(artifact for artifact in manifest["artifacts"] if artifact["name"] == "api")
    assert [(share["name"], share["version"]) for share in api["distributions"]] == [("idna", "3.7"), ("six", "1.16.0")]
