"""A client of agents over REST, as small as one can be: what the example programs talk through.

It knows four routes of the gateway and nothing of the services behind it. Everything that a turn does comes as
server-sent events, each with one JSON object in its ``data`` line.
"""

from __future__ import annotations

import argparse
import base64
import json
import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

GATEWAY = "http://127.0.0.1:8080"
MODEL = "altiplano-builtin"

Json = dict[str, Any]


def parser(description: str) -> argparse.ArgumentParser:
    """Return a command line with the option that all examples have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--gateway", default=GATEWAY, help=f"Where the gateway is; {GATEWAY} by default.")
    return made


def gateway(arguments: argparse.Namespace) -> httpx.Client:
    """Return a client of the gateway that the command line names."""
    # several steps may pass before an answer, and a slow machine needs its time for each
    return httpx.Client(base_url=arguments.gateway, timeout=300, trust_env=False)


def post(http: httpx.Client, path: str, body: Json | list[Any], **params: str) -> Any:
    """Return what a route answers to a JSON body; a refusal ends the program with the server's words."""
    response = http.post(path, json=body, params=params)
    if response.is_error:
        raise SystemExit(f"{path}: {response.text}")
    return response.json() if response.content else None


def attached(path: Path) -> Json:
    """Return a file as an attachment of a turn."""
    kind = mimetypes.guess_type(path.name)[0] or "text/plain"
    return {"url": f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}", "mime_type": kind}


class Agent:
    """One agentic system with one session. ``config`` are members of the RFC's AgenticSystemInstanceConfig."""

    def __init__(self, http: httpx.Client, **config: Any) -> None:
        """Create both on the server."""
        self._http = http
        config = {"instructions": "", **config}
        self.system_id = post(http, "/agentic_system/create", {"model": MODEL, "instance_config": config})["system_id"]
        session = {"system_id": self.system_id, "session_name": "example"}
        self.session_id = post(http, "/agentic_system/session/create", session)["session_id"]

    def ask(self, text: str, *attachments: Json) -> Json:
        """Run a turn, print what happens in it, and return it as the RFC's Turn."""
        print(f"\nuser> {text}")
        turn: Json = {}
        for payload in self._events(text, attachments):
            if payload["event_type"] == "step_complete":
                show(payload["step_details"])
            elif payload["event_type"] == "turn_complete":
                turn = payload["turn"]
        print(f"assistant> {turn['output_message']['content']}")
        return turn

    def _events(self, text: str, attachments: tuple[Json, ...]) -> Iterator[Json]:
        body = {
            "system_id": self.system_id,
            "session_id": self.session_id,
            "messages": [{"role": "user", "content": text}],
            "attachments": list(attachments),
            "stream": True,
        }
        with self._http.stream("POST", "/agentic_system/turn/create", json=body) as response:
            if response.is_error:
                raise SystemExit(f"turn: {response.read().decode()}")
            for line in response.iter_lines():
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    if "error" in event:
                        raise SystemExit(f"turn: {event['error']}")
                    yield event["event"]["payload"]


def show(step: Json) -> None:
    """Print a step of a turn; the final answer is the turn's own and left to it."""
    match step["step_type"]:
        case "inference":
            for call in step["model_response"].get("tool_calls") or []:
                print(f"  call> {call['tool_name']} {json.dumps(call['arguments'], ensure_ascii=False)}")
        case "tool_execution":
            for response in step["tool_responses"]:
                print(f"  tool> {brief(response['content'])}")
        case "memory_retrieval":
            found = [document["document_id"] for document in step["documents"]]
            print(f"  memory> {len(found)} chunks of {', '.join(dict.fromkeys(found))}")
        case "shield_call":
            verdict = step["response"]
            print(f"  shield> violation of {verdict['violation_type']}" if verdict["is_violation"] else "  shield> ok")


def files_in(content: Any) -> list[Json]:
    """Return the attachments in a content."""
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def brief(content: Any) -> str:
    """Return text as it is and a file by its type."""
    if isinstance(content, list):
        return " ".join(map(brief, content))
    return content.strip() if isinstance(content, str) else f"[{content['mime_type']}]"
