"""What a user attached and only memory can read: a bank of the session's own, made on demand and attached to it."""

from __future__ import annotations

from services.agents.course import Course
from services.agents.memory import Banks
from services.agents.sessions import Sessions


class Filing:
    """Puts files into the banks of their sessions."""

    def __init__(self, banks: Banks, sessions: Sessions) -> None:
        """Keep the parts."""
        self._banks = banks
        self._sessions = sessions

    async def file(self, course: Course, attached: list[str]) -> list[str]:
        """Return the banks to search, the one with the turn's documents among them; nothing is filed twice.

        Raises:
            MeshError: memory can't be reached, or can't read a file.
        """
        documents = course.reading.documents
        if not documents:
            return attached
        session_id = course.turn.session_id
        bank_id = f"session-{session_id}"
        await self._banks.keep(bank_id, f"Files of session {session_id}", documents)
        return await self._sessions.attach(session_id, [bank_id], files_bank=bank_id)
