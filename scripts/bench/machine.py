"""What is said of the machine that the figures come from: no name of it, no path."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scripts.bench import sam
from scripts.bench.measure import Failed, read
from scripts.bench.workplace import Workplace, tool


def describe(place: Workplace, *, python: str, architecture: str) -> Mapping[str, str]:
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
    said["AWS SAM CLI"] = sam.VERSION
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
