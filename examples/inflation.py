"""Inflation: a CSV file goes to an agent that runs Python in a sandbox, and a plot of it comes back as a PNG.

The agent's turn brings the file into its session's sandbox and computes. The built-in model writes programs of one
line, so the program that draws is our own here and runs where the agent's did, on the same file; a larger model writes
such programs itself, and the plot is then in the turn's output_attachments.

python -m examples.inflation [--gateway http://127.0.0.1:8080] [--out inflation.png]
"""

from __future__ import annotations

import base64
from pathlib import Path

from examples.agent import Agent, attached, files_in, gateway, parser, post

DATA = Path(__file__).parent / "data" / "inflation.csv"
QUESTION = "What is 305 minus 237?"
PLOT = """
import csv, glob
import matplotlib.pyplot as plt

[path] = glob.glob("/mnt/data/*.csv")
rows = list(csv.DictReader(open(path)))
rates = [float(row["inflation"]) for row in rows]
plt.bar([row["year"] for row in rows], rates)
plt.title("Inflation in percent")
highest = max(rows, key=lambda row: float(row["inflation"]))
print(f"{len(rows)} years, {sum(rates) / len(rates):.2f} percent on average, most in {highest['year']}")
"""


def main() -> None:
    """Have a file computed with and drawn."""
    options = parser("Analyse a CSV file.")
    options.add_argument("--out", type=Path, default=Path("inflation.png"), help="Where the plot is written.")
    arguments = options.parse_args()
    with gateway(arguments) as http:
        agent = Agent(http, tools=[{"type": "code_interpreter"}])
        agent.ask(QUESTION, attached(DATA))

        call = {"tool_name": "code_interpreter", "arguments": {"code": PLOT}, "session_id": agent.session_id}
        answer = post(http, "/tools/run", call)
        [plot] = files_in(answer["content"])
        print(f"\nour program> {answer['content'][0].strip()}")
        arguments.out.write_bytes(base64.b64decode(plot["url"].partition(",")[2]))
        print(f"{plot['mime_type']} of {arguments.out.stat().st_size} bytes in {arguments.out}")


if __name__ == "__main__":
    main()
