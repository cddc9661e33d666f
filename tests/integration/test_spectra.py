"""The main job on examples/spectra: built on a real engine, run in the Lambda image, the same bytes everywhere."""

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import docker
import jsonschema
import pytest
from integration.lambda_image import LambdaImage, shaped_like

from lambdabuild.model.limits import MAX_UNZIPPED

FUNCTIONS = ("api-handler", "authorizer", "worker")
SDK = {"boto3", "botocore", "s3transfer", "python-dateutil", "six", "urllib3"}


@dataclass(frozen=True)
class Built:
    output: Path
    project: Path

    def manifest(self) -> dict[str, dict]:
        document = json.loads((self.output / "manifest.json").read_text())
        return {artifact["path"]: artifact for artifact in document["artifacts"]}


@pytest.fixture(scope="session")
def built(spectra: Path, lambdabuild: Callable, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Slim zips, their layer and fat zips, by the docker builder."""
    output = tmp_path_factory.mktemp("built") / "out"
    lambdabuild("package", "--project", spectra, "--output", output, "--builder", "docker")
    lambdabuild("package", "--fat", "--project", spectra, "--output", output, "--builder", "docker")
    return Built(output, spectra)


def sha256_of(output: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(output.glob("*.zip"))}


def event_and_answer(project: Path, function: str) -> tuple[object, object]:
    event = json.loads((project / "events" / f"{function}.json").read_text())
    answer = json.loads((project / "events" / "expected" / f"{function}.json").read_text())
    return event, answer


def test_the_output_holds_the_artifacts_and_nothing_else(built: Built) -> None:
    assert sorted(path.name for path in built.output.iterdir()) == [
        "api-handler-fat.zip",
        "api-handler.zip",
        "authorizer-fat.zip",
        "authorizer.zip",
        "layer.zip",
        "manifest.json",
        "worker-fat.zip",
        "worker.zip",
    ]
    assert {path.stat().st_uid for path in built.output.iterdir()} == {os.getuid()}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_slim_zip_and_layer_answer_in_the_image(
    function: str, built: Built, docker_client: docker.DockerClient, image_for: Callable[[str], str]
) -> None:
    event, expected = event_and_answer(built.project, function)
    answer = LambdaImage(docker_client, image_for("3.13")).invoke(
        function=built.output / f"{function}.zip",
        layers=[built.output / "layer.zip"],
        handler=built.manifest()[f"{function}.zip"]["handler"],
        event=event,
    )
    assert answer.error is None, answer.log
    assert shaped_like(expected, answer.payload) == expected


@pytest.mark.parametrize("function", FUNCTIONS)
def test_fat_zip_answers_in_the_image(
    function: str, built: Built, docker_client: docker.DockerClient, image_for: Callable[[str], str]
) -> None:
    event, expected = event_and_answer(built.project, function)
    artifact = built.manifest()[f"{function}-fat.zip"]
    answer = LambdaImage(docker_client, image_for("3.13")).invoke(
        function=built.output / artifact["path"], handler=artifact["handler"], event=event
    )
    assert answer.error is None, answer.log
    assert shaped_like(expected, answer.payload) == expected


def test_slim_zip_without_its_layer_fails(
    built: Built, docker_client: docker.DockerClient, image_for: Callable[[str], str]
) -> None:
    """The control: the layer is what makes the slim zip run."""
    event, _ = event_and_answer(built.project, "api-handler")
    answer = LambdaImage(docker_client, image_for("3.13")).invoke(
        function=built.output / "api-handler.zip", handler="spectra.handlers.api.handler", event=event
    )
    assert answer.error is not None
    assert answer.error.startswith("Runtime.ImportModuleError: Unable to import module 'spectra.handlers.api'")


def test_slim_zips_are_kilobytes_of_application_code(built: Built) -> None:
    for function in FUNCTIONS:
        with zipfile.ZipFile(built.output / f"{function}.zip") as archive:
            assert {name.partition("/")[0] for name in archive.namelist()} == {"spectra"}
        assert (built.output / f"{function}.zip").stat().st_size < 50_000


def test_layer_is_below_python_and_slim(built: Built) -> None:
    with zipfile.ZipFile(built.output / "layer.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert {name.partition("/")[0] for name in names} == {"python"}
    assert names == sorted(names, key=str.encode)
    parts = [set(name.split("/")) for name in names]
    assert not any(part & {"__pycache__", "tests", "test"} for part in parts)
    kept = {name.rpartition("/")[2] for name in names if ".dist-info/" in name}
    assert kept == {"METADATA", "entry_points.txt", "top_level.txt"}
    distributions = {name.split("/")[1] for name in names if name.endswith(".dist-info/METADATA")}
    assert {name.split("/")[1] for name in names if name.endswith(".dist-info/top_level.txt")} == distributions
    assert not any(folder.endswith(".egg-info") for part in parts for folder in part)
    assert "python/botocore/docs/__init__.py" in names


def test_every_member_has_the_archive_s_normal_form(built: Built) -> None:
    for path in built.output.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                assert info.date_time == (1980, 1, 1, 0, 0, 0)
                assert info.create_system == 3
                assert info.external_attr >> 16 in (stat.S_IFREG | 0o644, stat.S_IFREG | 0o755)


def test_fat_zip_leaves_out_what_only_boto3_needs(built: Built) -> None:
    manifest = built.manifest()
    layer = {share["name"] for share in manifest["layer.zip"]["distributions"]}
    fat = {share["name"] for share in manifest["api-handler-fat.zip"]["distributions"]}
    assert layer - fat == SDK
    assert "jmespath" in fat, "aws-lambda-powertools needs it"


def test_fat_zip_holds_what_layer_and_slim_zip_hold(built: Built) -> None:
    """But for what only boto3 needs: same paths, same bytes."""
    contents: dict[str, bytes] = {}
    for file in ("layer.zip", "api-handler.zip"):
        with zipfile.ZipFile(built.output / file) as archive:
            contents |= {name.removeprefix("python/"): archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(built.output / "api-handler-fat.zip") as archive:
        fat = {name: archive.read(name) for name in archive.namelist()}
    assert fat.items() <= contents.items()
    gone = {name.partition("/")[0] for name in contents.keys() - fat.keys()}
    metadata = {top for top in gone if top.endswith(".dist-info")}
    assert gone - metadata == {"boto3", "botocore", "s3transfer", "dateutil", "six.py", "urllib3"}
    sdk = {"boto3", "botocore", "s3transfer", "python_dateutil", "six", "urllib3"}
    assert {top.partition("-")[0] for top in metadata} == sdk


def test_manifest_is_true_and_fits_its_schema(built: Built, docker_client, image_for) -> None:
    schema = Path(__file__).resolve().parents[2] / "lambdabuild" / "resources" / "manifest.schema.json"
    document = json.loads((built.output / "manifest.json").read_text())
    jsonschema.validate(document, json.loads(schema.read_text()))
    image = docker_client.images.get(image_for("3.13"))
    digests = {image.id, *(digest.partition("@")[2] for digest in image.attrs["RepoDigests"])}
    for file, artifact in built.manifest().items():
        content = (built.output / file).read_bytes()
        assert artifact["sha256"] == hashlib.sha256(content).hexdigest()
        assert artifact["sha256_base64"] == base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert artifact["zipped_size"] == len(content)
        with zipfile.ZipFile(built.output / file) as archive:
            sizes = [info.file_size for info in archive.infolist()]
        assert artifact["unzipped_size"] == sum(sizes)
        assert artifact["files"] == len(sizes)
        owned = sum(share["size"] for share in artifact["distributions"])
        assert owned + artifact["source_size"] == sum(sizes)
        assert artifact["builder"] == "docker"
        assert artifact["image_digest"] in digests
    assert built.manifest()["api-handler.zip"]["layers"] == ["layer"]


def test_validate_takes_what_was_built(built: Built, lambdabuild: Callable) -> None:
    done = lambdabuild("validate", "--project", built.project, "--output", built.output, "--json")
    archives = json.loads(done.stdout)["archives"]
    assert [Path(archive["path"]).name for archive in archives] == sorted(
        path.name for path in built.output.glob("*.zip")
    )
    assert all(archive["unzipped_size"] < MAX_UNZIPPED for archive in archives)


def test_both_builders_and_a_cold_cache_give_the_same_bytes(
    built: Built, lambdabuild: Callable, tmp_path: Path
) -> None:
    for builder in ("host", "docker"):
        cold = {"LAMBDABUILD_CACHE_DIR": str(tmp_path / f"cache-{builder}")}
        output = tmp_path / builder
        options = ("--project", built.project, "--output", output, "--builder", builder)
        lambdabuild("package", *options, env=cold)
        lambdabuild("package", "--fat", *options, env=cold)
        assert sha256_of(output) == sha256_of(built.output)


@pytest.mark.parametrize("builder", ["host", "docker"])
def test_another_user_umask_zone_place_and_home_give_the_same_bytes(
    builder: str, built: Built, environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Root becomes an unprivileged user for this, who may look into the folders above the interpreter."""
    home = tmp_path_factory.mktemp("home")
    project = home / "elsewhere"
    shutil.copytree(built.project, project, ignore=shutil.ignore_patterns("dist"))
    prefix = ["sh", "-c", 'umask 077; exec "$@"', "sh"]
    user = os.getuid()
    if user == 0:
        user = 65534
        for path in (home, *home.rglob("*")):
            os.chown(path, user, user)
        socket_group = Path("/var/run/docker.sock").stat().st_gid
        prefix += ["setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={socket_group}"]
        prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    env = {
        **environ,
        "HOME": str(home),
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "LAMBDABUILD_CACHE_DIR": str(home / "cache"),
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for mode in ("--layer", "--fat"):
        command = [*prefix, sys.executable, "-m", "lambdabuild", "package", mode, "--builder", builder]
        done = subprocess.run(command, cwd=project / "src", env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    output = project / "dist" / "lambda"
    assert sha256_of(output) == sha256_of(built.output)
    assert {path.stat().st_uid for path in (output, *output.iterdir())} == {user}
