"""Where a request came from."""

from __future__ import annotations

import pytest

from gateway.proxies import Proxies

PEER = ("10.0.0.7", 4711)


@pytest.mark.parametrize(
    ("trusted", "forwarded", "origin"),
    [
        ((), "203.0.113.7", PEER),
        (("192.0.2.1",), "203.0.113.7", PEER),
        (("10.0.0.7",), "203.0.113.7", ("203.0.113.7", 0)),
        (("10.0.0.0/8",), "1.1.1.1, 203.0.113.7, 10.2.2.2", ("203.0.113.7", 0)),
        (("10.0.0.0/8",), "10.3.3.3, 10.2.2.2", ("10.3.3.3", 0)),
        (("10.0.0.0/8",), "not an address, 10.2.2.2", ("not an address", 0)),
        (("*",), "1.1.1.1, 203.0.113.7", ("1.1.1.1", 0)),
        (("10.0.0.7",), " , ", PEER),
        (("10.0.0.7",), None, PEER),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy_is_the_origin(
    trusted: tuple[str, ...], forwarded: str | None, origin: tuple[str, int]
) -> None:
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode()}
    assert Proxies(trusted).origin(PEER, headers) == origin


def test_a_peer_without_an_address_stays_unknown() -> None:
    assert Proxies(("*",)).origin(None, {b"x-forwarded-for": b"203.0.113.7"}) is None
