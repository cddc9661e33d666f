"""What a container may take of the engine's machine, and whether it wanted more memory than that."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lambdabuild.errors import BuildError
from lambdabuild.model.limits import format_size

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container as DockerContainer

_SHARE = 3 / 4
"""Of the engine's memory: what a build that wants it all must leave for the rest of the machine."""
COUNT_KILLED = """
import re
for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
    try:
        with open(path) as file:
            found = re.search(r"^oom_kill (\\d+)", file.read(), re.MULTILINE)
    except OSError:
        continue
    if found:
        print(found[1])
        break
"""
"""Prints how many processes of its container the kernel has killed for want of memory, where it tells."""


@lru_cache(maxsize=4)
def limits(client: docker.DockerClient) -> dict[str, Any]:
    """Settings of a container, as far as the engine can hold it to them; what docker-py raises."""
    info: dict[str, Any] = client.info()
    settings: dict[str, Any] = {}
    if info.get("MemoryLimit"):
        settings["mem_limit"] = int(info["MemTotal"] * _SHARE)
        if info.get("SwapLimit"):
            settings["memswap_limit"] = settings["mem_limit"]
    if info.get("CpuCfsQuota"):
        settings["nano_cpus"] = int(info["NCPU"]) * 10**9
    return settings


def out_of_memory(container: DockerContainer, doing: str) -> BuildError:
    """The error for a container of which something was killed, its state read again by the caller."""
    limit = container.attrs["HostConfig"].get("Memory")
    held = f" (limit {format_size(limit)})" if limit else ""
    return BuildError(
        f"{doing}: out of memory{held}",
        hint="let it take less, or give the Docker Engine more memory",
        code="out-of-memory",
    )
