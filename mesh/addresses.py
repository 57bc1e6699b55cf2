"""Which hosts a service may call for somebody else: those with public addresses, and those that its settings name.

A host's name is resolved once and every address is checked; the caller has to connect to the address that it gets, and
ask again for each redirection. Knows nothing about HTTP.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host; raises OSError where there are none."""


class AddressRefused(Exception):
    """A host may not be called; ``expected`` says which may, fit for the caller who named it."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, by the machine's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Finds the address of a host, if it may be called.

    ``private_hosts`` are names of hosts that may have addresses that are not public; ``hosts`` are the only names that
    may be called, where ``*.example.com`` stands for all below; empty for any.
    """

    private_hosts: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    resolve: Resolve = field(default=resolve)

    async def address_of(self, host: str, port: int) -> str:
        """Return the address to connect to.

        Raises:
            AddressRefused: the host is not one that may be called, is not known, or has an address that is not public.
        """
        name = host.lower().rstrip(".")
        if self.hosts and not any(_matches(name, wanted) for wanted in self.hosts):
            raise AddressRefused("a host of the configured list is needed")
        try:
            addresses = await self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise AddressRefused("the host's name is not known") from error
        if not addresses or (name not in self.private_hosts and not all(map(is_public, addresses))):
            raise AddressRefused("a host with public addresses alone is needed")
        return addresses[0]


def is_public(address: str) -> bool:
    """Return whether an address is reachable by everybody, and not one of this machine or its network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None and not is_public(str(inner)):
            return False
        # the prefix of NAT64 leads to any IPv4 address
        if found in ipaddress.ip_network("64:ff9b::/96") or found in ipaddress.ip_network("64:ff9b:1::/48"):
            return False
    return found.is_global and not found.is_multicast


def _matches(name: str, wanted: str) -> bool:
    return name.endswith(wanted[1:].lower()) if wanted.startswith("*.") else name == wanted.lower()
