"""Tells where a request came from when proxies stand in between, by X-Forwarded-For as far as it can be believed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

Address = tuple[str, int]

EVERY = "*"


class Proxies:
    """The proxies that are believed.

    Args:
        trusted: addresses, networks as in ``10.0.0.0/8``, names of sockets' peers, or ``*`` for every peer.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        entries = set(trusted)
        self._every = EVERY in entries
        self._networks: list[IPv4Network | IPv6Network] = []
        self._names: set[str] = set()
        for entry in entries:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry)

    def origin(self, peer: Address | None, headers: Mapping[bytes, bytes]) -> Address | None:
        """Return the address that a request came from: the last one in the list that is no trusted proxy."""
        forwarded = headers.get(b"x-forwarded-for")
        if forwarded is None or peer is None or not self._trusted(peer[0]):
            return peer
        hosts = [host.strip() for host in forwarded.decode("latin-1").split(",")]
        hosts = [host for host in hosts if host]
        if not hosts:
            return peer
        found = (
            hosts[0] if self._every else next((host for host in reversed(hosts) if not self._trusted(host)), hosts[0])
        )
        return found, 0

    def _trusted(self, host: str) -> bool:
        if self._every or host in self._names:
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)
