"""Follows what the name of a host leads to, as long as somebody wants to know. Knows nothing of who answers there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from mesh.addresses import Resolve

log = logging.getLogger(__name__)

_SCHEME: Final = "dns:///"


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between looks at a name: in general, and after a look that found nothing or a doubt."""

    look_s: float = 10.0
    again_s: float = 1.0


PACE: Final = Pace()


class Name:
    """The host and port of an address whose host is a name.

    Args:
        address: the address as it was given.
        host: the name.
        port: the port of all addresses that it leads to.
    """

    def __init__(self, address: str, host: str, port: int) -> None:
        self.address = address
        self.host = host
        self.port = port
        self._doubted = asyncio.Event()

    def doubt(self) -> None:
        """Look again soon."""
        self._doubted.set()

    async def follow(
        self, resolve: Resolve, found: Callable[[Name, Sequence[str]], Awaitable[None]], pace: Pace
    ) -> None:
        """Give ``found`` the addresses, each ``host:port``, at each look; call it off by cancelling it.

        A look that finds nothing is not told: servers stay where they are when the resolver is away.
        """
        lost = False
        while True:
            self._doubted.clear()
            pause = pace.look_s
            try:
                addresses = _of_one_family(await resolve(self.host, self.port))
            except (OSError, UnicodeError) as error:
                if not lost:
                    log.warning("the name %s leads nowhere now: %s", self.host, error)
                lost, pause = True, pace.again_s
            else:
                lost = False
                await found(self, [_joined(address, self.port) for address in addresses])
            await asyncio.sleep(pace.again_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._doubted.wait(), pause - pace.again_s)


def name_in(address: str) -> Name | None:
    """Return the name in ``host:port`` or ``dns:///host:port``; None for an address that stands for one place.

    That is what has the address of a machine, a scheme of its own or no port, and this machine, which has an address
    of each family.
    """
    host, colon, port = address.removeprefix(_SCHEME).rpartition(":")
    if not colon or not port.isdecimal() or set(host) & set(":/[]") or host in {"", "localhost"}:
        return None
    with suppress(ValueError):
        ip_address(host)
        return None
    return Name(address, host, int(port))


def _of_one_family(addresses: Sequence[str]) -> list[str]:
    """Return the addresses of the family that the resolver puts first: a server with both is one server."""
    return [address for address in dict.fromkeys(addresses) if (":" in address) == (":" in addresses[0])]


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
