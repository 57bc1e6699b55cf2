"""The OpenAPI 3.1 document of a set of contracts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.contract import Contract, Rpc
from gateway.openapi.comments import Comments
from gateway.openapi.components import final_names
from gateway.openapi.errors import error_components
from gateway.openapi.examples import Examples
from gateway.openapi.messages import Messages
from gateway.openapi.operations import Operations, tag, untitled
from gateway.openapi.responses import EVENTS, event_payload
from gateway.openapi.schema import Schema, View, renamed

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DESCRIPTION = """\
The Llama Stack: generation, agents, memory, safety, tools, training and evaluation of Llama models.

The schemas show the preferred form of every request. Read as well are member names in camelCase, integers as strings
of digits, URL-safe base64, and paths with a slash at their end. A member that is `null` counts as absent; one that the
schema does not have is an error that names it. Where a body is an array, its object form may hold the members of the
query too.

Every call takes the headers `X-Request-Timeout` (seconds that the caller is willing to wait), `X-Request-Id` and
`X-LlamaStack-ProviderData` (a JSON object of keys for the providers behind tools and models), and W3C trace context.
"""
SECURITY: Schema = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API key or a JSON Web Token."},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An API key."},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a document says besides the contracts.

    Args:
        title: the API's name.
        version: the API's version.
        server: the URL that paths are relative to.
        services: the full names of the services to show; None for all.
        secured: whether callers have to say who they are.
        wrap_urls: whether the gateway writes wrappable values in their object form.
    """

    title: str = "Altiplano"
    version: str = "0.1.0"
    server: str = "/"
    services: frozenset[str] | None = None
    secured: bool = False
    wrap_urls: bool = False


def render(contract: Contract, settings: Settings) -> Schema:
    """Return the OpenAPI 3.1 document of the REST form of a contract, as plain JSON values.

    Raises:
        ValueError: settings name a service that the contract does not have, or two bindings claim a path and verb.
    """
    rpcs = _chosen(contract, settings)
    comments = Comments(contract.files)
    messages = Messages(comments, wrap_urls=settings.wrap_urls)
    paths = _paths(contract, rpcs, Operations(messages, comments, secured=settings.secured))
    errors, responses = error_components(openai=any(rpc.openai_errors for rpc in rpcs))
    names = final_names(messages.components)
    schemas = {names[key]: renamed(schema, names) for key, schema in messages.components.items()}
    schemas = dict(sorted((errors | schemas).items()))
    paths = renamed(paths, names | {name: name for name in errors})
    _add_examples(paths, Examples(schemas))
    components: Schema = {"schemas": schemas, "responses": responses}
    if settings.secured:
        components["securitySchemes"] = SECURITY
    return {
        "openapi": "3.1.0",
        "info": {"title": settings.title, "version": settings.version, "description": DESCRIPTION},
        "jsonSchemaDialect": DIALECT,
        "servers": [{"url": settings.server}],
        "tags": [_tag(service, comments) for service in _services(rpcs)],
        "paths": paths,
        "components": components,
    }


def _chosen(contract: Contract, settings: Settings) -> list[Rpc]:
    """Return the RPCs of the services to show that have a REST form."""
    known = {rpc.service for rpc in contract.rpcs.values()}
    wanted = known if settings.services is None else settings.services
    if unknown := sorted(wanted - known):
        raise ValueError(f"no such service: {', '.join(unknown)}")
    return [rpc for rpc in contract.rpcs.values() if rpc.service in wanted and rpc.rules]


def _tag(service: str, comments: Comments) -> Schema:
    return {"name": tag(service), "description": untitled(comments.at(service), service.rpartition(".")[2])}


def _services(rpcs: Iterable[Rpc]) -> list[str]:
    return sorted({rpc.service for rpc in rpcs})


def _paths(contract: Contract, rpcs: Iterable[Rpc], operations: Operations) -> dict[str, Schema]:
    paths: dict[str, Schema] = {}
    for rpc in rpcs:
        for path, verb, operation in operations.of(rpc, contract.twin(rpc)):
            if verb in paths.setdefault(path, {}):
                raise ValueError(f"{verb.upper()} {path} is claimed twice")
            paths[path][verb] = operation
    return dict(sorted(paths.items()))


def _add_examples(paths: dict[str, Schema], examples: Examples) -> None:
    """Put an example beside the schema of each body."""
    for item in paths.values():
        for operation in item.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                media["example"] = examples.of(media["schema"], View.REQUEST)
            if "x-same-as" in operation:
                continue
            for kind, media in operation["responses"]["200"]["content"].items():
                if kind == EVENTS:
                    value = examples.of(event_payload(media["schema"]), View.RESPONSE)
                    media["example"] = {"data": json.dumps(value)}
                else:
                    media["example"] = examples.of(media["schema"], View.RESPONSE)
