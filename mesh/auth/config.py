"""Which proofs of identity a process accepts and gives, by its environment.

``services`` is what a service demands of its callers, ``edge`` what the gateway demands of its own; the difference is
that identities signed inside the mesh are never accepted from outside.
"""

from __future__ import annotations

from dataclasses import dataclass

from mesh.auth.apikeys import ApiKeys, parse_keys
from mesh.auth.authenticator import Authenticator, FirstOf
from mesh.auth.jwts import JwtRules, Jwts
from mesh.auth.keyset import KeySet
from mesh.auth.peers import PeerForwarder, PeerIdentity
from mesh.auth.propagation import IdentityCompanion
from mesh.auth.provider import Fetch, check_issuer, discovered, fetch_from
from mesh.auth.tokens import SECRET_BYTES, SignedIdentity, TokenSigner
from mesh.config import setting
from mesh.identity import Identity


@dataclass(frozen=True)
class AuthConfig:
    """Secrets and rules. Authentication is on as soon as one of them is given, and then denies by default."""

    mesh_secrets: tuple[str, ...] = setting(
        "ALTIPLANO_MESH_SECRET",
        (),
        "Secret that services sign identities with, 32 bytes or more; after a comma, older ones that still verify.",
        secret=True,
    )
    peers: tuple[str, ...] = setting(
        "ALTIPLANO_MESH_PEERS", (), "Names in certificates of services that may forward identities over mutual TLS."
    )
    api_keys: str | None = setting(
        "ALTIPLANO_API_KEYS", None, "JSON list of API keys by their hash; see mesh.auth.apikeys.", secret=True
    )
    issuer: str = setting(
        "ALTIPLANO_JWT_ISSUER", "", "Issuer that tokens must have; it is asked where its keys are (OpenID Connect)."
    )
    jwks: str | None = setting(
        "ALTIPLANO_JWT_JWKS", None, "URL or file with the issuer's key set, instead of what the issuer says."
    )
    audience: str = setting("ALTIPLANO_JWT_AUDIENCE", "", "Audience that tokens must have.")
    tenant_claim: str = setting("ALTIPLANO_JWT_TENANT_CLAIM", "tenant", "Claim that holds the tenant.")
    scope_claim: str = setting("ALTIPLANO_JWT_SCOPE_CLAIM", "scope", "Claim that holds the scopes.")

    def __post_init__(self) -> None:
        """Refuse what would leave a hole or lock everybody out."""
        if any(len(secret.encode()) < SECRET_BYTES for secret in self.mesh_secrets):
            raise ValueError(f"ALTIPLANO_MESH_SECRET: at least {SECRET_BYTES} bytes are needed")
        if self.jwks and not (self.issuer and self.audience):
            raise ValueError("ALTIPLANO_JWT_JWKS: ALTIPLANO_JWT_ISSUER and ALTIPLANO_JWT_AUDIENCE are needed with it")
        if self.issuer and not self.audience:
            raise ValueError("ALTIPLANO_JWT_ISSUER: ALTIPLANO_JWT_AUDIENCE is needed with it")
        if self.issuer and not self.jwks:
            try:
                check_issuer(self.issuer)
            except ValueError as error:
                raise ValueError(f"ALTIPLANO_JWT_ISSUER: without ALTIPLANO_JWT_JWKS {error} is needed") from error
        if (self.issuer or self.api_keys) and not (self.mesh_secrets or self.peers):
            raise ValueError(
                "ALTIPLANO_MESH_SECRET (or ALTIPLANO_MESH_PEERS) is needed with API keys or tokens, "
                "so that services learn who calls"
            )
        if self.api_keys:
            parse_keys(self.api_keys)

    def edge(self) -> Authenticator | None:
        """Return what callers from outside have to prove; None if there is no such demand."""
        ways = self._outside()
        return FirstOf(ways) if ways else None

    def services(self) -> Authenticator | None:
        """Return what callers of a service have to prove; None if there is no such demand."""
        ways: list[Authenticator] = []
        if self.peers:
            ways.append(PeerIdentity(self.peers))
        if self.mesh_secrets:
            ways.append(SignedIdentity(self.mesh_secrets))
        ways += self._outside()
        return FirstOf(ways) if ways else None

    def companion(self, service: str, own: Identity | None = None) -> IdentityCompanion | None:
        """Return what sends identities along with calls; None if authentication is off.

        ``own`` is the identity of calls that belong to no caller (the service's own upkeep).
        """
        if self.mesh_secrets:
            return IdentityCompanion(TokenSigner(self.mesh_secrets[0], service), own)
        return IdentityCompanion(PeerForwarder(), own) if self.peers else None

    def keys(self) -> Fetch | None:
        """Return what gets the keys of the identity provider; None if there is none."""
        if self.jwks:
            return fetch_from(self.jwks)
        return discovered(self.issuer) if self.issuer else None

    def _outside(self) -> list[Authenticator]:
        ways: list[Authenticator] = []
        if self.api_keys:
            ways.append(ApiKeys(parse_keys(self.api_keys)))
        fetch = self.keys()
        if fetch is not None:
            rules = JwtRules(self.issuer, self.audience, self.tenant_claim, self.scope_claim)
            ways.append(Jwts(rules, KeySet(fetch)))
        return ways
