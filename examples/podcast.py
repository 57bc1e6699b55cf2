"""Podcast: the parts of a transcript are attached to a turn, kept in the session's memory bank, and answered from.

python -m examples.podcast [--gateway http://127.0.0.1:8080]
"""

from __future__ import annotations

from pathlib import Path

from examples.agent import Agent, attached, gateway, parser

TRANSCRIPT = sorted((Path(__file__).parent / "data").glob("transcript-*.txt"))
QUESTIONS = (
    "Who is the guest of the podcast?",
    "When was the Halden observatory built?",
    "When does the Halden observatory open?",
)


def main() -> None:
    """Ask about a transcript; it is sent once, with the first question."""
    with gateway(parser("Ask about the transcript of a podcast.").parse_args()) as http:
        # no banks besides the one that the attachments make, and the best passage of it alone
        agent = Agent(http, tools=[{"type": "memory", "memory_bank_configs": [], "max_chunks": 1}])
        files = [attached(part) for part in TRANSCRIPT]
        for question in QUESTIONS:
            agent.ask(question, *files)
            files = []


if __name__ == "__main__":
    main()
