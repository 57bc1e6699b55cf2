"""Hello: one question to the model, first as a whole and then as a stream of words, without any agent.

python -m examples.hello [--gateway http://127.0.0.1:8080]
"""

from __future__ import annotations

import json

import httpx

from examples.agent import MODEL, gateway, parser, post

GREETING = "Hello!"
QUESTION = "What can you do?"


def answer(http: httpx.Client, question: str) -> str:
    """Return the model's answer."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}]}
    content: str = post(http, "/inference/chat_completion", body)["completion_message"]["content"]
    return content


def stream(http: httpx.Client, question: str) -> str:
    """Print the model's answer while it is made, and return it."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "stream": True}
    said = ""
    with http.stream("POST", "/inference/chat_completion", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("data: "):
                delta = json.loads(line.removeprefix("data: "))["event"]["delta"]
                print(delta, end="", flush=True)
                said += delta
    print()
    return said


def main() -> None:
    """Say hello."""
    with gateway(parser("Ask the model.").parse_args()) as http:
        print(f"user> {GREETING}\nassistant> {answer(http, GREETING)}\n")
        print(f"user> {QUESTION}\nassistant> ", end="")
        stream(http, QUESTION)


if __name__ == "__main__":
    main()
