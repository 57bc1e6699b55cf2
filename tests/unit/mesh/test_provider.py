"""Where the keys of an identity provider are, asked of a real HTTP server."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesh.auth.provider import check_issuer, discovered, fetch_from
from tests.integration.mesh.certificates import Authority
from tests.openid import KEYS, OPENID, Provider, provider

OAUTH = "/.well-known/oauth-authorization-server"


@pytest.fixture
def idp() -> Iterator[Provider]:
    """A provider whose issuer has no path."""
    with provider() as made:
        yield made


def uri(made: Provider) -> str:
    return made.issuer.removesuffix("/realm") + KEYS


async def test_the_issuer_says_where_its_keys_are(idp: Provider) -> None:
    assert json.loads(await discovered(idp.issuer)()) == idp.documents[KEYS]
    assert idp.asked == [OPENID, KEYS]


@pytest.mark.parametrize("path", ["/realm", "/realm/"])
async def test_the_path_of_an_issuer_comes_before_the_well_known_one(path: str) -> None:
    with provider(path=path) as made:
        assert json.loads(await discovered(made.issuer)()) == made.documents[KEYS]
    assert made.asked == [f"/realm{OPENID}", KEYS]


async def test_an_authorization_server_without_openid_is_asked_by_its_own_document() -> None:
    with provider(path="/realm") as made:
        made.documents[f"{OAUTH}/realm"] = made.documents.pop(f"/realm{OPENID}")
        assert json.loads(await discovered(made.issuer)()) == made.documents[KEYS]
    assert made.asked == [f"/realm{OPENID}", f"{OAUTH}/realm", KEYS]


async def test_keys_are_asked_for_where_the_issuer_says_now(idp: Provider) -> None:
    fetch = discovered(idp.issuer)
    before = json.loads(await fetch())
    idp.documents["/moved"] = {"keys": ["new"]}
    idp.documents[OPENID] = {"issuer": idp.issuer, "jwks_uri": f"{idp.issuer}/moved"}
    assert (before, json.loads(await fetch())) == (idp.documents[KEYS], {"keys": ["new"]})


@pytest.mark.parametrize("other", ["https://other.example", None, 7, "{issuer}/", "{issuer}/x"])
async def test_a_document_of_another_issuer_is_refused(idp: Provider, other: Any) -> None:
    told = other.format(issuer=idp.issuer) if isinstance(other, str) else other
    idp.documents[OPENID]["issuer"] = told
    with pytest.raises(ValueError, match=r"is of the issuer .*, not of"):
        await discovered(idp.issuer)()
    assert idp.asked == [OPENID]


@pytest.mark.parametrize(
    "where", [None, 7, "", "/keys", "http://id.example/keys", "file:///etc/keys", "ftp://127.0.0.1/"]
)
async def test_keys_are_read_over_https_or_from_this_machine_alone(idp: Provider, where: Any) -> None:
    idp.documents[OPENID]["jwks_uri"] = where
    with pytest.raises(ValueError, match="names no jwks_uri with https"):
        await discovered(idp.issuer)()


async def test_a_redirection_does_not_lead_away_from_https(idp: Provider) -> None:
    idp.documents |= {KEYS: 302, "location": "http://id.example/keys"}
    with pytest.raises(OSError, match="it leads away from https"):
        await discovered(idp.issuer)()
    idp.documents["location"], idp.documents["/there"] = "/there", {"keys": []}
    assert json.loads(await discovered(idp.issuer)()) == {"keys": []}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (404, "there is nothing at .*/.well-known/o"),
        (503, "answers with the status 503"),
        (b"<html>", "is not JSON"),
        ([], "is not a JSON object"),
        (b" " * (1 << 20) + b"{}", "it has more than 1048576 bytes"),
    ],
)
async def test_a_document_of_no_use_is_told_by_what_is_wrong_with_it(idp: Provider, answer: Any, problem: str) -> None:
    idp.documents[OPENID] = answer
    with pytest.raises((OSError, ValueError), match=problem):
        await discovered(idp.issuer)()


async def test_a_provider_that_is_away_is_told_with_its_address_and_without_its_query() -> None:
    with provider() as made:
        pass
    with pytest.raises(OSError, match=rf"{made.issuer}{OPENID} can't be reached: .*refused"):
        await discovered(made.issuer)()
    with pytest.raises(OSError, match="can't be reached") as failure:
        await fetch_from(f"{made.issuer}/keys?code=hush")()
    assert "hush" not in str(failure.value)


async def test_the_authorities_of_the_system_have_to_know_the_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("idp")
    assert files.certificate is not None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    with provider(tls=context) as made:
        with pytest.raises(OSError, match=r"can't be reached: .*CERTIFICATE_VERIFY_FAILED"):
            await discovered(made.issuer)()
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert json.loads(await discovered(made.issuer)()) == made.documents[KEYS]


@pytest.mark.parametrize(
    "issuer", ["https://id.example", "https://id.example/realm/", "http://127.0.0.1:8090", "http://[::1]:8090/realm"]
)
def test_an_issuer_can_be_asked_over_https_or_on_this_machine(issuer: str) -> None:
    check_issuer(issuer)


@pytest.mark.parametrize(
    "issuer",
    [
        "idp",
        "http://id.example",
        "https://",
        "https://id.example?a=b",
        "https://id.example/#a",
        "https://u:p@id.example",
    ],
)
def test_an_issuer_that_cannot_be_asked_is_refused(issuer: str) -> None:
    with pytest.raises(ValueError, match="https URL"):
        check_issuer(issuer)


async def test_a_key_set_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(b"{}")
    assert await fetch_from(str(tmp_path / "jwks.json"))() == b"{}"
    with pytest.raises(OSError, match="No such file"):
        await fetch_from(f"file://{tmp_path}/none.json")()
