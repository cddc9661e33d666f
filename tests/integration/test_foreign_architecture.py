"""arm64 on an x86_64 engine: wheels need no emulation; what must be compiled says what it needs."""

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

IMAGE = "lambdabuild-test/foreign"
# The header of an ELF executable for aarch64 (e_machine 183), which no x86_64 kernel runs.
AARCH64 = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + (183).to_bytes(2, "little") + bytes(44)


def project(folder: Path, dependency: str) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["{dependency}"]\n'
        '[tool.lambdabuild]\npython = "3.13"\narchitecture = "arm64"\n'
    )
    return folder


@pytest.fixture
def foreign(docker_client: docker.DockerClient, image_for: Callable[[str], str]) -> Iterator[str]:
    """A template of two images: the real one, and one of arm64 whose Python the engine cannot run."""
    docker_client.images.get(image_for("3.13")).tag(IMAGE, "x86_64")
    docker_client.images.load(image_archive(f"{IMAGE}:arm64"))
    yield IMAGE + ":{architecture}"
    for architecture in ("x86_64", "arm64"):
        docker_client.images.remove(f"{IMAGE}:{architecture}")


def image_archive(tag: str) -> bytes:
    """An image of arm64 in the form of `docker save`, with one file."""
    layer = archive({"var/lang/bin/python3.13": AARCH64}, mode=0o755)
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": "arm64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    documents = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    return archive({**documents, "layer.tar": layer})


def archive(files: dict[str, bytes], mode: int = 0o644) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_wheels_need_no_emulation(tmp_path: Path, lambdabuild: Callable) -> None:
    folder = project(tmp_path / "project", "markupsafe==3.0.3")
    archives = []
    for builder in ("docker", "host"):
        lambdabuild("layer", "--project", folder, "--lock", "--builder", builder, "--output", tmp_path / builder)
        archives.append((tmp_path / builder / "layer.zip").read_bytes())
    assert archives[0] == archives[1]
    with zipfile.ZipFile(tmp_path / "docker" / "layer.zip") as layer:
        (extension,) = (name for name in layer.namelist() if name.endswith(".so"))
        assert extension == "python/markupsafe/_speedups.cpython-313-aarch64-linux-gnu.so"
        assert layer.read(extension)[18:20] == (183).to_bytes(2, "little")


def test_a_source_distribution_needs_an_engine_that_runs_it(
    tmp_path: Path, foreign: str, lambdabuild: Callable
) -> None:
    folder = project(tmp_path / "project", "docopt==0.6.2")
    image = {"LAMBDABUILD_IMAGE": foreign}
    done = lambdabuild("layer", "--project", folder, "--lock", "--builder", "docker", env=image, code=4)
    assert done.stderr[done.stderr.index("error: ") :] == (
        "error: docopt 0.6.2 must be built from source for python3.13 arm64, and this engine (x86_64) runs no arm64 "
        "programs\n"
        "  hint: build on an engine of that architecture (DOCKER_HOST), set up emulation "
        "(https://docs.docker.com/build/building/multi-platform/#qemu), or choose a version that has a wheel\n"
    )


def test_symbols_are_stripped_by_an_engine_that_runs_the_target(
    tmp_path: Path, foreign: str, lambdabuild: Callable
) -> None:
    folder = project(tmp_path / "project", "markupsafe==3.0.3")
    with (folder / "pyproject.toml").open("a") as file:
        file.write("strip-symbols = true\n")
    image = {"LAMBDABUILD_IMAGE": foreign}
    done = lambdabuild("layer", "--project", folder, "--lock", "--builder", "docker", env=image, code=4)
    assert done.stderr[done.stderr.index("error: ") :] == (
        "error: symbols for python3.13 arm64 are stripped by its own binutils, and this engine (x86_64) runs no arm64 "
        "programs\n"
        "  hint: build on an engine of that architecture (DOCKER_HOST), set up emulation "
        "(https://docs.docker.com/build/building/multi-platform/#qemu), or leave out strip-symbols\n"
    )


def test_bytecode_needs_no_emulation(tmp_path: Path, foreign: str, lambdabuild: Callable) -> None:
    folder = project(tmp_path / "project", "markupsafe==3.0.3")
    with (folder / "pyproject.toml").open("a") as file:
        file.write('bytecode = "compile"\n')
    image = {"LAMBDABUILD_IMAGE": foreign}
    lambdabuild("layer", "--project", folder, "--lock", "--output", tmp_path / "out", "--no-verify", env=image)
    with zipfile.ZipFile(tmp_path / "out" / "layer.zip") as layer:
        assert "python/markupsafe/__pycache__/__init__.cpython-313.pyc" in layer.namelist()


def test_what_the_engine_cannot_run_is_not_verified(tmp_path: Path, foreign: str, lambdabuild: Callable) -> None:
    folder = project(tmp_path / "project", "six==1.17.0")
    cold = {"LAMBDABUILD_IMAGE": foreign, "LAMBDABUILD_CACHE_DIR": str(tmp_path / "cache")}
    done = lambdabuild("layer", "--project", folder, "--lock", "--builder", "docker", env=cold)
    why = "this engine (x86_64) runs no arm64 programs, so nothing for python3.13 arm64 can be tried"
    assert f"note: not verified: {why}\n" in done.stderr
    for asked in (("layer", "--builder", "docker", "--verify"), ("verify",)):
        done = lambdabuild(*asked, "--project", folder, env=cold, code=4)
        assert done.stderr.endswith(
            f"error: {why}\n  hint: use an engine of that architecture (DOCKER_HOST), or set up emulation "
            "(https://docs.docker.com/build/building/multi-platform/#qemu)\n"
        )


def test_an_image_that_is_not_at_hand_is_not_pulled_to_verify(tmp_path: Path, lambdabuild: Callable) -> None:
    folder = project(tmp_path / "project", "six==1.17.0")
    cold = {"LAMBDABUILD_CACHE_DIR": str(tmp_path / "cache")}
    done = lambdabuild("layer", "--project", folder, "--lock", "--builder", "docker", env=cold)
    assert "note: not verified: the engine has no python3.13 arm64 image (--verify pulls it)\n" in done.stderr
