"""Whose a container is: what a run made is removed by it, or by a later one when it was killed."""

from __future__ import annotations

import json
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import requests.exceptions

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

log = logging.getLogger(__name__)

LABEL = "dev.lambdabuild"


def owner_labels() -> dict[str, str]:
    """Labels that tell whose container it is, so that a later run can remove what a killed one left."""
    return {LABEL: "run", f"{LABEL}.owner": json.dumps([socket.gethostname(), os.getpid(), _started(os.getpid())])}


def create(client: docker.DockerClient, image: str, **settings: Any) -> DockerContainer:
    """Make a container of this run, or leave none: also when the run is interrupted before the engine has answered."""
    name = f"lambdabuild-{os.getpid()}-{os.urandom(4).hex()}"
    make = partial(client.containers.create, image, name=name, labels=owner_labels(), **settings)
    try:
        # In a thread, which is waited for in any case: a request that is broken off may be carried out all the same.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(int).result()  # a thread whose start is interrupted would not be waited for
            return pool.submit(make).result()
    except BaseException:
        with suppress(docker.errors.DockerException, requests.exceptions.RequestException):
            remove(client.containers.get(name))
        raise


def remove_orphans(client: docker.DockerClient) -> None:
    """Remove the containers of this host's runs that are no more."""
    for container in client.containers.list(all=True, filters={"label": f"{LABEL}=run"}, ignore_removed=True):
        try:
            host, pid, started = json.loads(container.labels[f"{LABEL}.owner"])
        except (KeyError, ValueError):
            continue
        if host == socket.gethostname() and _started(pid) != started:
            log.debug("removing %s, left by a run that was killed", container.name)
            remove(container)


def remove_own(client: docker.DockerClient) -> None:
    """Remove the containers of this run, whatever they do."""
    own = owner_labels()[f"{LABEL}.owner"]
    for container in client.containers.list(all=True, filters={"label": f"{LABEL}=run"}, ignore_removed=True):
        if container.labels.get(f"{LABEL}.owner") == own:
            remove(container)


def remove(container: Any) -> None:
    """Remove a container and its nameless volumes; the next run tries again where the engine does not answer."""
    try:
        container.remove(force=True, v=True)
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        log.debug("container %s was not removed: %s", container.short_id, error)


def _started(pid: int) -> str | None:
    """When a process started, in the kernel's ticks; None when there is none, or the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "running"
