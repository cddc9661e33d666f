"""Where a benchmark works: a temporary folder, an environment, and what it has on the engine, all gone at the end."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Failed, read

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".cache" / "benchmarks"
"""What is slow to make and the same for every run: the SAM CLI."""
LABEL = "dev.lambdabuild.bench"
"""On every container, volume and image that the benchmark makes; its value is the run's name."""
_IMAGE = "LAMBDABUILD_IMAGE"
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_FORWARDED = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Folder, environment and engine of one run."""

    folder: Path
    environ: Mapping[str, str]
    image_template: str
    docker: str | None
    """The docker CLI, or None when no engine answers."""

    @property
    def name(self) -> str:
        """The label's value."""
        return self.folder.name

    @property
    def label(self) -> str:
        return f"{LABEL}={self.name}"

    def image(self, python: str, architecture: str) -> str:
        """The Lambda image."""
        return self.image_template.format(python=python, architecture=architecture)

    def engine(self, *argv: str, timeout: float = 60) -> str:
        """What a docker command prints; raises Failed."""
        if self.docker is None:
            raise Failed("no Docker Engine answers")
        return read([self.docker, *argv], environ=self.environ, timeout=timeout)

    def empty(self, folder: Path, image: str) -> None:
        """Remove what root in a container left in a folder that it had as a volume; raises Failed."""
        if os.getuid() != 0:
            argv = ["run", "--rm", "--label", self.label, "--volume", f"{folder}:/build", "--entrypoint", "sh", image]
            self.engine(*argv, "-c", "rm -rf /build/*", timeout=300)

    def container_environ(self) -> dict[str, str]:
        """What pip in a container needs of this machine's settings: indexes and proxies."""
        names = (*_FORWARDED, *_PROXIES, *(name.upper() for name in _PROXIES))
        return {name: self.environ[name] for name in names if name in self.environ}

    @property
    def certificates(self) -> Path | None:
        """The file of trusted certificates that the environment names."""
        named = (self.environ.get(name) for name in _CERTIFICATES)
        return next((Path(path).resolve() for path in named if path and Path(path).is_file()), None)


@contextmanager
def workplace(python: str, architecture: str) -> Iterator[Workplace]:
    """Make the folder, find the engine and have the Lambda image there, when LAMBDABUILD_IMAGE names no other.

    At the end, whatever happened, nothing is left on the engine or on the disk. Raises Failed.
    """
    # The name is that of images, too, so it is lower-case letters, digits and single dashes.
    folder = Path(tempfile.gettempdir()).resolve() / f"lambdabuild-bench-{os.getpid()}-{os.urandom(4).hex()}"
    docker = _find_docker()
    image = os.environ.get(_IMAGE) or (_prepared_image(python) if docker else "")
    environ = environment(os.environ, folder) | ({_IMAGE: image} if image else {})
    place = Workplace(folder=folder, environ=environ, image_template=image, docker=docker)
    folder.mkdir(mode=0o700)
    try:
        yield place
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if docker:
            _clear_engine(docker, place.label)
            with suppress(Failed):
                place.empty(folder, place.image(python, architecture))
        shutil.rmtree(folder, ignore_errors=True)


def environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of every contender: a clean pip, caches of the benchmark's own, no telemetry, no credentials.

    Of pip's configuration only the index holds, so that a machine's own wheels do not distort the comparison.
    """
    ours = {name: value for name, value in environ.items() if name not in ("PIP_FIND_LINKS", "VIRTUAL_ENV")}
    index = _configured_index(environ)
    if index and not ours.get("PIP_INDEX_URL"):
        ours["PIP_INDEX_URL"] = index
    return ours | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "UV_NO_PROGRESS": "1",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }


def tool(name: str) -> str:
    """The path of a program of the development environment."""
    return str(Path(sys.executable).parent / name)


def _configured_index(environ: Mapping[str, str]) -> str:
    argv = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    done = subprocess.run(argv, env=dict(environ), capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _find_docker() -> str | None:
    for candidate in (os.environ.get("DOCKER"), shutil.which("docker"), "/usr/bin/docker"):
        if candidate and shutil.which(candidate):
            try:
                read([candidate, "version"], timeout=20)
            except Failed:
                continue
            return candidate
    return None


def _prepared_image(python: str) -> str:
    """The Lambda image's template, real or stand-in, as the tests have it."""
    return read([str(ROOT / "scripts" / "prepare_images.sh"), python], timeout=900)


def _clear_engine(docker: str, label: str) -> None:
    ask = ["--filter", f"label={label}", "--quiet"]
    for found, remove in (
        (["ps", "--all"], ["rm", "--force", "--volumes"]),
        (["volume", "ls"], ["volume", "rm", "--force"]),
        (["images"], ["rmi", "--force"]),
    ):
        listed = subprocess.run([docker, *found, *ask], capture_output=True, text=True, check=False).stdout.split()
        if listed:
            subprocess.run([docker, *remove, *dict.fromkeys(listed)], capture_output=True, check=False)


def describe(place: Workplace, *, python: str, architecture: str) -> dict[str, str]:
    """Cores, memory, kernel, engine and the programs' versions; what cannot be had is left out."""
    said = {
        "processor": f"{os.cpu_count()} cores, {_processor()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}, {platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.1f} (mean number of running processes in the last minute)",
        "lambdabuild": read([tool("lambdabuild"), "--version"]).rpartition(" ")[2],
        "Python": platform.python_version(),
        "uv": read([tool("uv"), "--version"]).split()[1],
    }
    with suppress(Failed):
        said["Docker Engine"] = place.engine("info", "--format", "{{.ServerVersion}}, {{.Driver}}")
    with suppress(Failed):
        said["Lambda image"] = _image(place, place.image(python, architecture))
    with suppress(Failed, IndexError):
        said["zip"] = read(["zip", "--version"]).splitlines()[1].split("(")[0].removeprefix("This is ").strip()
    return said


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _image(place: Workplace, image: str) -> str:
    label = '{{index .Config.Labels "dev.lambdabuild.standin"}}'
    if place.engine("image", "inspect", "--format", label, image) == "true":
        return "the stand-in of docker/standin (Debian, not Amazon Linux)"
    return image
