"""The words of the task that a guard model is given.

The one place that both the shields and the training of the built-in model take them from. Knows nothing about messages.
Source: the published model card of Llama Guard 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

CATEGORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "S1": "Violent Crimes",
        "S2": "Non-Violent Crimes",
        "S3": "Sex Crimes",
        "S4": "Child Exploitation",
        "S5": "Defamation",
        "S6": "Specialized Advice",
        "S7": "Privacy",
        "S8": "Intellectual Property",
        "S9": "Indiscriminate Weapons",
        "S10": "Hate",
        "S11": "Self-Harm",
        "S12": "Sexual Content",
        "S13": "Elections",
        "S14": "Code Interpreter Abuse",
    }
)
"""The names of the hazard categories by code."""

USER: Final = "User"
AGENT: Final = "Agent"

_TASK: Final = """\
Task: Check if there is unsafe content in '{agent}' messages in our conversations according our safety policy with the \
below categories.

<BEGIN UNSAFE CONTENT CATEGORIES>
{categories}
<END UNSAFE CONTENT CATEGORIES>

<BEGIN CONVERSATION>

{conversation}

<END CONVERSATION>

Provide your safety assessment for ONLY THE LAST {agent} message in the above conversation:
 - First line must read 'safe' or 'unsafe'.
 - If unsafe, a second line must include a comma-separated list of violated categories."""


def task(agent: str, codes: Sequence[str], conversation: Sequence[tuple[str, str]]) -> str:
    """Return the task of judging the last message of ``agent``, one of USER and AGENT, by the categories of ``codes``.

    ``conversation`` holds pairs of a role, USER or AGENT, and what was said, oldest first.
    """
    return _TASK.format(
        agent=agent,
        categories="\n".join(f"{code}: {CATEGORIES[code]}." for code in codes),
        conversation="\n\n".join(f"{role}: {text}" for role, text in conversation),
    )
