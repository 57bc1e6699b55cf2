"""JWTs of an identity provider."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mesh.auth.authenticator import Credentials
from mesh.auth.jwts import JwtRules, Jwts
from mesh.auth.keyset import KeySet
from mesh.errors import BackendUnavailable, InvalidCredentials
from mesh.identity import Identity

NOW = 1_800_000_000.0
KEYS = {"k1": rsa.generate_private_key(65537, 2048), "k2": rsa.generate_private_key(65537, 2048)}
CURVE = ec.generate_private_key(ec.SECP256R1())


def jwks(*names: str, **more: Any) -> bytes:
    public = {name: jwt.algorithms.RSAAlgorithm.to_jwk(KEYS[name].public_key(), as_dict=True) for name in names}
    keys = [key | {"kid": name, "alg": "RS256"} | more for name, key in public.items()]
    return json.dumps({"keys": keys}).encode()


@dataclass
class Provider:
    """An identity provider and a clock, as a test wants them."""

    keys: bytes | Exception = field(default_factory=lambda: jwks("k1"))
    now: float = 0.0
    wall: float = NOW
    fetched: int = 0

    async def fetch(self) -> bytes:
        self.fetched += 1
        if isinstance(self.keys, Exception):
            raise self.keys
        return self.keys

    def jwts(self) -> Jwts:
        rules = JwtRules(issuer="https://idp", audience="altiplano")
        return Jwts(rules, KeySet(self.fetch, lambda: self.now), lambda: self.wall)


def claims(**changes: Any) -> dict[str, Any]:
    made = {"iss": "https://idp", "aud": "altiplano", "sub": "ann", "tenant": "acme", "exp": NOW + 600}
    return {name: value for name, value in (made | changes).items() if value is not None}


def token(key: str = "k1", kid: str | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), KEYS[key], algorithm="RS256", headers={"kid": kid or key})


def shown(value: str) -> Credentials:
    return Credentials({"authorization": f"Bearer {value}"})


@pytest.mark.parametrize("scopes", ["inference:use memory:read", ["inference:use", "memory:read"]])
async def test_a_valid_token_stands_for_its_subject_tenant_and_scopes(scopes: Any) -> None:
    identity = await Provider().jwts().authenticate(shown(token(scope=scopes)))
    assert identity == Identity("user:ann", "acme", frozenset({"inference:use", "memory:read"}))


async def test_other_claims_can_hold_tenant_and_scopes() -> None:
    provider = Provider()
    rules = JwtRules("https://idp", "altiplano", tenant_claim="org", scope_claim="permissions")
    jwts = Jwts(rules, KeySet(provider.fetch), lambda: NOW)
    identity = await jwts.authenticate(shown(token(tenant=None, org="o", permissions=["*:read"])))
    assert identity == Identity("user:ann", "o", frozenset({"*:read"}))


@pytest.mark.parametrize(
    "value",
    [
        token(iss="https://other"),
        token(aud="other"),
        token(exp=NOW - 31),
        token(nbf=NOW + 31),
        token(exp=None),
        token(sub=None),
        token(tenant=None),
        token(tenant=""),
        token(tenant=["a"]),
        token(scope=7),
        token(key="k2", kid="k1"),
        token(key="k2"),
        jwt.encode(claims(), "", algorithm="none", headers={"kid": "k1"}),
        jwt.encode(claims(), "s" * 32, algorithm="HS256", headers={"kid": "k1"}),
        jwt.encode(claims(), CURVE, algorithm="ES256", headers={"kid": "k1"}),
        token()[:-8] + "AAAAAAAA",
        "a.b.c",
    ],
)
async def test_a_token_that_is_not_valid_is_refused(value: str) -> None:
    with pytest.raises(InvalidCredentials):
        await Provider().jwts().authenticate(shown(value))


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer alp_key"}, {"x-api-key": "a.b.c"}])
async def test_what_is_no_jwt_is_left_to_other_ways(headers: dict[str, str]) -> None:
    assert await Provider().jwts().authenticate(Credentials(headers)) is None


async def test_a_verified_token_is_remembered_until_it_expires() -> None:
    provider = Provider()
    jwts = provider.jwts()
    value = shown(token())
    first = await jwts.authenticate(value)
    provider.keys = OSError("away")
    provider.now += 4000
    assert await jwts.authenticate(value) is first
    assert provider.fetched == 1
    provider.wall += 631
    with pytest.raises(InvalidCredentials, match="expired"):
        await jwts.authenticate(value)


async def test_an_unknown_key_id_makes_the_set_be_fetched_again_but_not_all_the_time() -> None:
    provider = Provider()
    jwts = provider.jwts()
    await jwts.authenticate(shown(token()))
    provider.keys = jwks("k1", "k2")
    with pytest.raises(InvalidCredentials, match="unknown key"):
        await jwts.authenticate(shown(token(key="k2")))
    assert provider.fetched == 1
    provider.now += 31
    assert await jwts.authenticate(shown(token(key="k2"))) is not None
    assert provider.fetched == 2


async def test_a_key_that_the_provider_withdrew_is_no_longer_trusted_after_an_hour() -> None:
    provider = Provider()
    jwts = provider.jwts()
    await jwts.authenticate(shown(token()))
    provider.keys = jwks("k2")
    provider.now += 3601
    with pytest.raises(InvalidCredentials, match="unknown key"):
        await jwts.authenticate(shown(token(sub="bob")))


@pytest.mark.parametrize(
    "problem", [OSError("away"), b"not json", b"[]", b'{"keys": []}', b'{"keys": 7}', jwks("k2", use="enc")]
)
async def test_known_keys_are_trusted_on_while_the_provider_is_away(problem: bytes | Exception) -> None:
    provider = Provider()
    jwts = provider.jwts()
    await jwts.authenticate(shown(token()))
    provider.keys = problem
    provider.now += 4000
    assert await jwts.authenticate(shown(token(sub="bob"))) is not None
    with pytest.raises(BackendUnavailable):
        # it may be one that the provider has by now
        await jwts.authenticate(shown(token(key="k2")))


async def test_without_any_key_the_provider_is_a_backend_that_is_unavailable() -> None:
    with pytest.raises(BackendUnavailable):
        await Provider(keys=OSError("away")).jwts().authenticate(shown(token()))


async def test_a_provider_that_is_away_is_asked_again_after_longer_and_longer_pauses() -> None:
    provider = Provider(keys=OSError("away"))
    jwts = provider.jwts()
    asked_at = []
    for second in range(200):
        provider.now = float(second)
        before = provider.fetched
        with pytest.raises(BackendUnavailable):
            await jwts.authenticate(shown(token()))
        asked_at += [second] * (provider.fetched - before)
    assert asked_at == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    provider.keys, provider.now = jwks("k1"), 243.0
    assert await jwts.authenticate(shown(token())) is not None


async def test_a_provider_that_hangs_holds_up_nobody_whose_key_is_known() -> None:
    provider = Provider()
    hanging = asyncio.Event()

    async def fetch() -> bytes:
        keys = await provider.fetch()
        if provider.fetched > 2:
            await hanging.wait()
        return keys

    keys = KeySet(fetch, lambda: provider.now)
    first = await keys.key("k1")
    provider.keys, provider.now = OSError("away"), 3600.0
    assert await keys.key("k1") is first
    provider.keys, provider.now = jwks("k1", "k2"), 3601.0
    assert await keys.key("k1") is first
    waiting = asyncio.create_task(keys.key("k2"))
    await asyncio.sleep(0)
    hanging.set()
    assert (await waiting).key_id == "k2"
    assert provider.fetched == 3


async def test_all_who_wait_for_keys_wait_for_one_attempt() -> None:
    provider = Provider()
    keys = KeySet(provider.fetch, lambda: provider.now)
    keys.begin()
    found = await asyncio.gather(*(keys.key("k1") for _ in range(20)))
    assert {key.key_id for key in found} == {"k1"}
    assert provider.fetched == 1


async def test_why_the_keys_cannot_be_read_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider(keys=OSError("https://idp is away"))
    with pytest.raises(BackendUnavailable):
        await provider.jwts().authenticate(shown(token()))
    assert caplog.messages == ["the keys of the identity provider can't be read (0 known): https://idp is away"]
