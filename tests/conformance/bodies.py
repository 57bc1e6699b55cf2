"""The error bodies that the gateway writes, as clients see them."""

from __future__ import annotations

from typing import Any

TYPES = "type.googleapis.com/google.rpc."


def error_body(code: str, reason: str, message: str, **details: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an error; ``details`` are the standard details beside ErrorInfo by the name of their type."""
    info = {"@type": f"{TYPES}ErrorInfo", "reason": reason, "domain": "llamastack"}
    others = [{"@type": f"{TYPES}{name}", **members} for name, members in details.items()]
    return {"error": {"code": code, "message": message, "reason": reason, "details": [info, *others]}}


UNKNOWN_MODEL = error_body(
    "NOT_FOUND",
    "RESOURCE_NOT_FOUND",
    "model 'nobody' does not exist",
    ResourceInfo={"resource_type": "model", "resource_name": "nobody"},
)
ENGINE_DIED = error_body("UNAVAILABLE", "BACKEND_UNAVAILABLE", "the engine died", RetryInfo={"retry_delay": "2s"})
