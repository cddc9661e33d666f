"""tests.bridge: what engines tell of their default network."""

from __future__ import annotations

import pytest

from tests.bridge import gateway_of


@pytest.mark.parametrize(
    ("config", "gateway"),
    [
        ([{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}], "172.17.0.1"),
        ([{"Subnet": "172.17.0.0/16"}], "172.17.0.1"),
        ([{"Subnet": "172.17.0.0/16", "Gateway": ""}], "172.17.0.1"),
        ([{"Subnet": "10.4.8.0/22"}], "10.4.8.1"),
        (
            [{"Subnet": "fd00::/64", "Gateway": "fd00::1"}, {"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.254"}],
            "10.9.0.254",
        ),
    ],
)
def test_the_gateway(config: list[dict[str, str]], gateway: str) -> None:
    assert gateway_of(config) == gateway
