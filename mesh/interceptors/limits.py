"""Bounds how many RPCs a server works on at once."""

from __future__ import annotations

from typing import Any

from mesh.errors import Overloaded
from mesh.methods import Method
from mesh.pipeline import Call, Proceed


class Limits:
    """Refuses a call beyond ``most`` concurrent ones with RESOURCE_EXHAUSTED and RetryInfo.

    Health and reflection neither count nor are refused: a full server is alive.
    """

    def __init__(self, most: int, *, retry_after_s: float = 1.0) -> None:
        self._most = most
        self._retry_after_s = retry_after_s
        self.active = 0

    def wrap(self, method: Method, proceed: Proceed) -> Proceed:
        """Return ``proceed`` with the count around it."""
        if method.infrastructure:
            return proceed

        async def counted(call: Call) -> Any:
            if self.active >= self._most:
                raise Overloaded(retry_after_s=self._retry_after_s)
            self.active += 1
            try:
                return await proceed(call)
            finally:
                self.active -= 1

        return counted
