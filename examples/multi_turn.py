"""Multi turn: an agent that remembers within a session what it was told, and in another session does not.

python -m examples.multi_turn [--gateway http://127.0.0.1:8080]
"""

from __future__ import annotations

from examples.agent import Agent, gateway, parser, post

TOLD = ("Hello, my name is Amara.", "Please remember that my locker number is 7731.", "Thanks!")
ASKED = ("What is my name?", "What is my locker number?")


def main() -> None:
    """Tell the agent things and ask for them later."""
    with gateway(parser("Talk with an agent over several turns.").parse_args()) as http:
        agent = Agent(http)
        for said in (*TOLD, *ASKED):
            agent.ask(said)

        print("\n-- another session knows nothing of it --")
        stranger = Agent(http)
        stranger.ask(ASKED[0])

        params = {"agent_id": agent.system_id, "session_id": agent.session_id}
        session = post(http, "/agentic_system/session/get", [], **params)
        print(f"\nThe server keeps {len(session['turns'])} turns of session {agent.session_id}.")


if __name__ == "__main__":
    main()
