"""Vacation: an agent that plans a trip with a web search, over several turns of one session.

The search engine is a setting of the agents service (Brave by default, which needs ALTIPLANO_AGENTS_BRAVE_SEARCH_API_KEY).

python -m examples.vacation [--gateway http://127.0.0.1:8080]
"""

from __future__ import annotations

from examples.agent import Agent, connect

TURNS = (
    "Hi, my name is Jonas.",
    "Search the web for the best museum in Lisbon",
    "Look up cheap hotels in Lisbon",
    "Who played the NBA finals last year?",
    "What is my name?",
)


def main() -> None:
    """Plan the trip."""
    with connect("Plan a vacation with a web search.") as http:
        agent = Agent(
            http,
            instructions="You are a helpful assistant.",
            tools=[{"type": "brave_search", "engine": "brave"}],
        )
        searches = 0
        for said in TURNS:
            turn = agent.ask(said)
            searches += sum(step["step_type"] == "tool_execution" for step in turn["steps"])
        print(f"\n{searches} searches in {len(TURNS)} turns")


if __name__ == "__main__":
    main()
