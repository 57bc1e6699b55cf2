"""API keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh.auth.apikeys import ApiKey, ApiKeys, KeysError, digest, new_key, parse_keys
from mesh.auth.authenticator import Credentials
from mesh.errors import InvalidCredentials
from mesh.identity import Identity

CI = Identity("key:ci", "acme", frozenset({"inference:use"}))


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "ci", "tenant": "acme", "sha256": digest("alp_right"), "scopes": ["inference:use"]} | changes


def keys(now: float = 0.0, **changes: Any) -> ApiKeys:
    return ApiKeys(parse_keys(json.dumps([entry(**changes)])), lambda: now)


@pytest.mark.parametrize("headers", [{"x-api-key": "alp_right"}, {"authorization": "bearer  alp_right"}])
async def test_a_key_stands_for_its_identity(headers: dict[str, str]) -> None:
    assert await keys().authenticate(Credentials(headers)) == CI


@pytest.mark.parametrize("headers", [{"x-api-key": "alp_wrong"}, {"authorization": "Bearer wrong"}])
async def test_an_unknown_key_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidCredentials):
        await keys().authenticate(Credentials(headers))


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic abc"}, {"authorization": "Bearer a.b.c"}])
async def test_what_is_no_api_key_is_left_to_other_ways(headers: dict[str, str]) -> None:
    assert await keys().authenticate(Credentials(headers)) is None


async def test_a_key_is_worthless_from_its_expiry_on() -> None:
    expires = {"expires": "2027-01-01T00:00:00+00:00"}
    shown = Credentials({"x-api-key": "alp_right"})
    assert await keys(1798761599.0, **expires).authenticate(shown) == CI
    with pytest.raises(InvalidCredentials, match="expired"):
        await keys(1798761600.0, **expires).authenticate(shown)


def test_a_new_key_is_random_and_goes_with_its_hash() -> None:
    key, hashed = new_key()
    assert key.startswith("alp_")
    assert hashed == digest(key)
    assert new_key()[0] != key


def test_the_list_is_read_whole() -> None:
    text = json.dumps([entry(), entry(name="b", scopes=[], expires="1970-01-01T01:00:00+01:00")])
    assert parse_keys(text) == (
        ApiKey(CI, digest("alp_right")),
        ApiKey(Identity("key:b", "acme", frozenset()), digest("alp_right"), 0.0),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not a JSON list"),
        ("{}", "not a JSON list"),
        ("[1]", "entry 0 is not an object"),
        (json.dumps([entry(name="")]), "entry 0 needs a name and a tenant"),
        (json.dumps([entry(tenant=None)]), "entry 0 needs a name and a tenant"),
        (json.dumps([entry(sha256="abc")]), "the sha256 of 'ci' is not 64 hex digits"),
        (json.dumps([entry(scopes="all")]), "the scopes of 'ci' are not a list of strings"),
        (json.dumps([entry(expires="soon")]), "expires of 'ci' is not a time"),
        (json.dumps([entry(expires="2027-01-01T00:00:00")]), "lacks its offset from UTC"),
    ],
)
def test_a_list_that_cannot_be_used_says_why(text: str, problem: str) -> None:
    with pytest.raises(KeysError, match=problem):
        parse_keys(text)
