"""An HTTP answer as something that can be compared: JSON, the values of JSON lines, or the events of a stream."""

from __future__ import annotations

import json
from typing import Any

import httpx


async def answer_of(http: httpx.AsyncClient, verb: str, path: str, body: bytes) -> tuple[str, Any]:
    """Send a request; return its status, with the media type of the answer, and the answer."""
    headers = {"content-type": "application/json"} if body else {}
    response = await http.request(verb, path, content=body or None, headers=headers)
    kind = response.headers.get("content-type", "").partition(";")[0]
    answer = _read(kind, response.text)
    if response.is_error and "error" in answer:
        # the words of an error are for people, and may be found better
        answer = {"error": {name: answer["error"][name] for name in ("code", "reason")}}
    return f"{response.status_code} {kind}", answer


def _read(kind: str, text: str) -> Any:
    if kind == "text/event-stream":
        events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
        return [event if event == "[DONE]" else json.loads(event) for event in events]
    if kind == "application/jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text) if text else None
