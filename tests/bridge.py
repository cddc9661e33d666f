"""Where containers of a test reach this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

import docker


def find_gateway(client: docker.DockerClient) -> str:
    """The address of the engine's machine in the engine's default network."""
    return gateway_of(client.networks.get("bridge").attrs["IPAM"]["Config"])


def gateway_of(config: Iterable[Mapping[str, str]]) -> str:
    """The IPv4 gateway of a network; an engine that was started for the first time tells of a subnet alone, and its
    bridge has the first address of that."""
    for one in config:
        subnet = ipaddress.ip_network(one["Subnet"])
        if subnet.version == 4:
            return one.get("Gateway") or str(subnet[1])
    raise LookupError("the engine's default network has no IPv4 subnet")
