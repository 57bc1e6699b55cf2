"""Which hosts may be called for somebody else."""

from __future__ import annotations

import pytest

from mesh.addresses import AddressGuard, AddressRefused, is_public


def knowing(*addresses: str) -> AddressGuard:
    """Return a guard for which every host has these addresses."""

    async def resolve(host: str, port: int) -> tuple[str, ...]:
        return addresses

    return AddressGuard(frozenset({"inside.example"}), resolve=resolve)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1", "::1", "fe80::1%eth0",
        "fc00::1", "::ffff:192.168.0.1", "2002:0a00:0001::", "64:ff9b::10.0.0.1",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_and_its_network_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


async def test_the_first_address_of_a_public_host_is_taken() -> None:
    assert await knowing("93.184.215.14", "93.184.215.15").address_of("pets.example", 443) == "93.184.215.14"


async def test_one_private_address_is_enough_to_refuse_a_host() -> None:
    with pytest.raises(AddressRefused, match="a host with public addresses alone is needed"):
        await knowing("93.184.215.14", "10.1.2.3").address_of("pets.example", 443)


async def test_a_host_that_the_settings_name_may_be_private() -> None:
    assert await knowing("10.1.2.3").address_of("Inside.example.", 80) == "10.1.2.3"


async def test_a_name_that_nobody_knows_is_refused() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(AddressRefused, match="the host's name is not known"):
        await AddressGuard(resolve=resolve).address_of("nobody.example", 80)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("a.example", True), ("A.EXAMPLE.", True), ("x.b.example", True), ("b.example", False), ("xb.example", False)],
)
async def test_a_list_of_hosts_keeps_all_others_away(host: str, allowed: bool) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.215.14"]

    guard = AddressGuard(hosts=frozenset({"a.example", "*.b.example"}), resolve=resolve)
    if allowed:
        assert await guard.address_of(host, 443) == "93.184.215.14"
    else:
        with pytest.raises(AddressRefused, match="a host of the configured list is needed"):
            await guard.address_of(host, 443)
