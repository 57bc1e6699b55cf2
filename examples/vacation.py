"""Vacation: an agent that plans a trip with a web search, in sessions of one and of several turns.

The search engine is a setting of the agents service: Brave by default, with ALTIPLANO_AGENTS_BRAVE_SEARCH_API_KEY.

python -m examples.vacation [--gateway http://127.0.0.1:8080]
"""

from __future__ import annotations

from examples.agent import Agent, gateway, parser

INTRODUCTION = "Hi, my name is Jonas."
SEARCHES = (
    "Search the web for cheap hotels in Lisbon",
    "Look up the best museum in Lisbon",
    "Who played the NBA finals last year?",
)
RECALL = "What is my name?"


def main() -> None:
    """Plan the trip: a session for each search, and some talk in the last one."""
    with gateway(parser("Plan a vacation with a web search.").parse_args()) as http:
        calls = 0
        for search in SEARCHES:
            agent = Agent(http, tools=[{"type": "brave_search", "engine": "brave"}])
            turn = agent.ask(search)
            calls += sum(step["step_type"] == "tool_execution" for step in turn["steps"])
        agent.ask(INTRODUCTION)
        agent.ask(RECALL)
        print(f"\n{calls} searches")


if __name__ == "__main__":
    main()
