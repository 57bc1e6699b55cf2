"""The OpenAPI 3.1 document, rendered from the same descriptors that the gateway's codec and routes are made of."""

from gateway.openapi.document import Settings, render

__all__ = ["Settings", "render"]
