"""How SQLite goes about the statements of a block: which indexes it takes, and what it reads from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine


@contextmanager
def query_plans(table: str) -> Iterator[dict[str, list[str]]]:
    """Yield, by statement, the steps of its plan that read a table; filled while the block runs."""
    plans: dict[str, list[str]] = {}
    asking = False

    def explain(connection: Connection, _: Any, statement: str, parameters: Any, __: Any, executemany: bool) -> None:
        nonlocal asking
        if asking or statement.partition(" ")[0] not in {"SELECT", "UPDATE", "DELETE", "WITH"}:
            return
        asking = True
        try:
            found = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", parameters[0] if executemany else parameters
            )
            steps = [str(row[3]) for row in found]
        finally:
            asking = False
        if touching := [step for step in steps if table in step.split()]:
            plans[statement] = touching

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
