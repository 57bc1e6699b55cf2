"""What the database said of banks and documents, kept so that a query need not ask it again.

Only where this process alone writes the database, and only what is in force: a thing that is not remembered may still
be there. A reader that asked the database tells what it found by :meth:`Remembered.keep`, which ignores it when a
change was under way at any time since the reader began; a writer changes the database within
:meth:`Remembered.changing`. So what is remembered is never older than the last change that ended.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """Keeps up to ``most`` values, those that were used last; 0 keeps none."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._changes = 0
        self._writing = asyncio.Lock()

    def get(self, key: Key) -> Value | None:
        """Return a value, None if it is not remembered."""
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def begin(self) -> int:
        """Return a sign of this moment, for a reader to hand to :meth:`keep`."""
        return self._changes

    def keep(self, found: Mapping[Key, Value], since: int) -> None:
        """Keep what a reader found, unless it may have been changed since the reader began."""
        if since == self._changes and not self._writing.locked():
            self._add(found)

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Change[Key, Value]]:
        """Change the database within the block, one writer at a time; the block's end makes it known to readers.

        The block has to reach the end of its transaction: run it where it can't be cancelled.
        """
        if not self.most:
            yield Change()
            return
        async with self._writing:
            # a reader that began before sees this when it ends, one that begins now sees the lock
            self._changes += 1
            change = Change[Key, Value]()
            try:
                yield change
            except BaseException:
                # nobody knows how far it came
                self._values.clear()
                raise
            finally:
                self._changes += 1
            for key in change.gone:
                self._values.pop(key, None)
            self._add(change.come)

    def _add(self, found: Mapping[Key, Value]) -> None:
        if not self.most:
            return
        for key, value in found.items():
            self._values[key] = value
            self._values.move_to_end(key)
        while len(self._values) > self.most:
            self._values.popitem(last=False)


class Change(Generic[Key, Value]):
    """What a writer did: the keys that are not in force any more, and what came into force."""

    def __init__(self) -> None:
        self.gone: list[Key] = []
        self.come: dict[Key, Value] = {}
