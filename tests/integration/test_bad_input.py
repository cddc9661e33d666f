"""What goes wrong around the engine: a clear error, the exit code, and the old artifacts intact."""

import hashlib
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one wheel, locked and built once."""
    folder = tmp_path / "project"
    folder.mkdir()
    write(folder, 'dependencies = ["six==1.17.0"]')
    return folder


def write(project: Path, dependencies: str, table: str = 'python = "3.13"') -> None:
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "project"\nversion = "1"\nrequires-python = ">=3.11"\n{dependencies}\n'
        f"[tool.lambdabuild]\n{table}\n"
    )


def fingerprint(output: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in output.iterdir()}


def test_no_engine(project: Path, lambdabuild: Callable) -> None:
    lambdabuild("layer", "--project", project, "--lock", "--builder", "docker")
    before = fingerprint(project / "dist" / "lambda")
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = lambdabuild("layer", "--project", project, "--builder", "docker", env=nowhere, code=4)
    assert done.stderr == (
        "reading the lock …\n"
        "error: no Docker Engine answers at unix:///nowhere/docker.sock (DOCKER_HOST): there is no such socket\n"
        "  hint: start Docker, set DOCKER_HOST, or build without it: --builder host\n"
    )
    assert fingerprint(project / "dist" / "lambda") == before


def test_without_an_engine_auto_builds_on_the_host_and_says_so(project: Path, lambdabuild: Callable) -> None:
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = lambdabuild("layer", "--project", project, "--lock", env=nowhere)
    assert (
        "note: building on this machine, not in the Lambda image: "
        "no Docker Engine answers at unix:///nowhere/docker.sock (DOCKER_HOST): there is no such socket\n"
        "  The same wheels give the same bytes; source distributions cannot be built this way.\n"
    ) in done.stderr
    host = fingerprint(project / "dist" / "lambda")["layer.zip"]
    lambdabuild("layer", "--project", project, "--builder", "docker")
    assert fingerprint(project / "dist" / "lambda")["layer.zip"] == host


def test_an_image_that_cannot_be_pulled(project: Path, lambdabuild: Callable) -> None:
    lambdabuild("layer", "--project", project, "--lock", "--builder", "docker")
    before = fingerprint(project / "dist" / "lambda")
    image = {"LAMBDABUILD_IMAGE": "localhost:1/no/such/python:{python}"}
    done = lambdabuild("layer", "--project", project, "--builder", "docker", env=image, code=4)
    lines = done.stderr.splitlines()
    assert lines[1] == "pulling localhost:1/no/such/python:3.13 …"
    assert lines[2].startswith("error: the image localhost:1/no/such/python:3.13 cannot be pulled for linux/amd64: ")
    assert lines[3] == (
        "  hint: check the name (image in [tool.lambdabuild], LAMBDABUILD_IMAGE) and the registry's login, "
        "or build without it: --builder host"
    )
    assert fingerprint(project / "dist" / "lambda") == before


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (429, "toomanyrequests", "wait, log in (docker login), or name another registry's copy of the image"),
        (403, "denied", "check the name (image in [tool.lambdabuild], LAMBDABUILD_IMAGE) and the registry's login, "),
    ],
)
def test_a_registry_that_refuses(status: int, said: str, hint: str, project: Path, lambdabuild: Callable) -> None:
    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = json.dumps({"errors": [{"code": said.upper(), "message": said}]}).encode()
            self.send_response(200 if self.path == "/v2/" else status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer)

        do_HEAD = do_GET

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as registry:
        Thread(target=registry.serve_forever, daemon=True).start()
        reference = f"127.0.0.1:{registry.server_address[1]}/python:3.13"
        image = {"LAMBDABUILD_IMAGE": reference.replace("3.13", "{python}")}
        done = lambdabuild("layer", "--project", project, "--lock", "--builder", "docker", env=image, code=4)
        registry.shutdown()
    error = done.stderr[done.stderr.index("error: ") :]
    assert error.startswith(f"error: the image {reference} cannot be pulled for linux/amd64: ")
    assert said in error
    assert f"\n  hint: {hint}" in error


@pytest.mark.parametrize("builder", ["docker", "auto", "host"])
def test_what_is_no_image_reference(builder: str, project: Path, lambdabuild: Callable) -> None:
    image = {"LAMBDABUILD_IMAGE": "Python:{python}:latest"}
    done = lambdabuild("layer", "--project", project, "--builder", builder, env=image, code=2)
    assert done.stderr.splitlines()[-1] == (
        'error: LAMBDABUILD_IMAGE: "Python:{python}:latest" is not an image reference, such as '
        "registry.example/name:tag"
    )


@pytest.mark.parametrize("builder", ["docker", "auto"])
def test_a_context_that_is_not_there(builder: str, project: Path, lambdabuild: Callable) -> None:
    lambdabuild("layer", "--project", project, "--lock", "--builder", "host")
    nowhere = {"DOCKER_CONTEXT": "nowhere", "DOCKER_HOST": "", "LAMBDABUILD_CACHE_DIR": str(project.parent / "cache")}
    done = lambdabuild("layer", "--project", project, "--builder", builder, env=nowhere, code=4)
    assert done.stderr.endswith(
        'error: there is no Docker context "nowhere"\n'
        "  hint: docker context ls tells which there are; DOCKER_CONTEXT names this one\n"
    )


def test_a_wheel_that_wants_a_newer_glibc(project: Path, lambdabuild: Callable) -> None:
    """The trap that every laptop's lock walks into; the newest version that fits is looked up."""
    write(project, 'dependencies = ["pyarrow==22.0.0"]', 'python = "3.11"')
    for builder in ("docker", "host"):
        done = lambdabuild("layer", "--project", project, "--lock", "--builder", builder, code=1)
        assert done.stderr.endswith(
            "error: pyarrow 22.0.0 needs glibc >= 2.28; python3.11 (Amazon Linux 2) has 2.26\n"
            "  hint: for pyarrow: uv add 'pyarrow<=20.0.0' (the newest with a wheel for python3.11 x86_64), "
            'or set python = "3.12" or newer in [tool.lambdabuild]\n'
        )
    assert not (project / "dist").exists()


def test_a_source_distribution_on_the_host(project: Path, lambdabuild: Callable) -> None:
    write(project, 'dependencies = ["docopt==0.6.2"]')
    done = lambdabuild("layer", "--project", project, "--lock", "--builder", "host", code=1)
    assert done.stderr.endswith(
        "error: docopt 0.6.2 has no wheel for python3.13 x86_64, only a source distribution\n"
        "the host builder installs wheels only\n"
        "  hint: build in the Lambda image, where source distributions are compiled: --builder docker\n"
    )


def test_over_the_limit(project: Path, lambdabuild: Callable) -> None:
    write(
        project,
        'dependencies = ["polars==1.35.2", "pyarrow==22.0.0", "numpy==2.3.5", "scipy==1.16.3", "pandas==2.3.3"]',
    )
    done = lambdabuild("layer", "--project", project, "--lock", "--builder", "docker", code=3)
    lines = done.stderr[done.stderr.index("error: ") :].splitlines()
    assert lines[0].startswith("error: layer.zip: ")
    assert lines[0].endswith(" over Lambda's 262,144,000; the largest:")
    assert [line.split()[1] for line in lines[1:5]] == ["pyarrow", "polars-runtime-32", "scipy", "numpy"]
    sizes = [int(line.split()[0].replace(",", "")) for line in lines[1:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert lines[-1].startswith("  hint: leave out what the function does not import")
    assert not (project / "dist").exists()
    done = lambdabuild("layer", "--project", project, "--builder", "docker", "--skip-validation")
    assert "warning: layer.zip: " in done.stderr
    assert (project / "dist" / "lambda" / "layer.zip").exists()
