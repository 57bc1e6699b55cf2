"""Spans of traces in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from llamastack.observability.v1 import trace_pb2 as pb
from mesh.storage import Storage
from services.eval.observability import keys, members
from services.eval.observability.members import Owner
from services.eval.observability.tables import SPANS
from services.eval.observability.upserts import upsert

KIND: Final = "span"
_MANY: Final = 500
Place: TypeAlias = tuple[str, str, str]
"""Where a span is in a search: moment, trace and span, which is also its order."""
Context: TypeAlias = tuple[str | None, str | None, str | None]
"""The session, the turn and the run that a span belongs to."""
_CONTEXT: Final = ("session_id", "turn_id", "run_id")


class Spans:
    """Keeps and searches the spans of all tenants."""

    def __init__(self, storage: Storage) -> None:
        """Keep the database."""
        self._storage = storage

    async def add(self, tenant: str, spans: Iterable[pb.Span]) -> None:
        """Store spans; one of the same ids is replaced.

        The session, the turn and the run that one span of a trace names hold for those of the trace that name none,
        whichever of them comes first: each process knows only what its own call told it.

        Raises:
            InvalidField: a span has no valid times.
        """
        by_id = _checked(spans)
        async with self._storage.writing() as session:
            traces = sorted({span.trace_id for span in by_id.values()})
            stored = await _of(session, tenant, traces)
            known: dict[str, Context] = {}
            for span in [*stored, *by_id.values()]:
                told = known.get(span.trace_id, (None, None, None))
                known[span.trace_id] = _joined(told, _context(span))
            fresh = {(span.trace_id, span.span_id) for span in by_id.values()}
            lacking = [span for span in stored if (span.trace_id, span.span_id) not in fresh and _fill(span, known)]
            for span in by_id.values():
                _fill(span, known)
            await _write(session, tenant, list(by_id.values()))
            for span in lacking:
                await session.execute(update(SPANS).where(*_is(tenant, span)).values(_keys(span)))

    async def page(
        self, tenant: str, request: pb.SearchSpansRequest, after: Place | None, size: int
    ) -> Sequence[tuple[Place, pb.Span]]:
        """Return up to ``size`` spans that a search finds, oldest first, with their places.

        Raises:
            InvalidField: a bound is no time.
        """
        # a trace is read whole and put in order; in the order of the index of moments it would be the last thing found
        moment = SPANS.c.moment.concat("") if request.HasField("trace_id") else SPANS.c.moment
        order = (moment, SPANS.c.trace_id, SPANS.c.span_id)
        query = select(*order, SPANS.c.data).where(*_conditions(tenant, request))
        if after is not None:
            query = query.where(tuple_(*order) > after)
        async with self._storage.reading() as session:
            rows = (await session.execute(query.order_by(*order).limit(size))).all()
        return [((moment, trace, span), pb.Span.FromString(data)) for moment, trace, span, data in rows]


def _checked(spans: Iterable[pb.Span]) -> dict[tuple[str, str], pb.Span]:
    found = {}
    for index, span in enumerate(spans):
        keys.moment(span.started_at, f"spans[{index}].started_at")
        keys.moment(span.ended_at, f"spans[{index}].ended_at")
        found[span.trace_id, span.span_id] = span
    return found


async def _write(session: AsyncSession, tenant: str, spans: Sequence[pb.Span]) -> None:
    rows = [{"tenant": tenant, "trace_id": span.trace_id, "span_id": span.span_id, **_keys(span)} for span in spans]
    await upsert(session, SPANS, rows)
    await members.replace(session, {_owner(tenant, span): dict(span.attributes) for span in spans})


async def _of(session: AsyncSession, tenant: str, traces: Sequence[str]) -> list[pb.Span]:
    found = []
    for start in range(0, len(traces), _MANY):
        some = traces[start : start + _MANY]
        query = select(SPANS.c.data).where(SPANS.c.tenant == tenant, SPANS.c.trace_id.in_(some)).limit(10 * _MANY)
        found += [pb.Span.FromString(data) for data in (await session.execute(query)).scalars()]
    return found


def _context(span: pb.Span) -> Context:
    session, turn, run = (getattr(span, name) if span.HasField(name) else None for name in _CONTEXT)
    return session, turn, run


def _joined(told: Context, more: Context) -> Context:
    session, turn, run = (first if first is not None else second for first, second in zip(told, more, strict=True))
    return session, turn, run


def _fill(span: pb.Span, known: dict[str, Context]) -> bool:
    """Set what the span's trace knows and the span does not; return whether there was anything."""
    filled = False
    for name, value in zip(_CONTEXT, known[span.trace_id], strict=True):
        if value is not None and not span.HasField(name):  # type: ignore[arg-type]  # the names are the message's
            setattr(span, name, value)
            filled = True
    return filled


def _keys(span: pb.Span) -> dict[str, Any]:
    session, turn, run = (None if value is None else keys.exact(value) for value in _context(span))
    return {
        "moment": keys.moment(span.started_at, "started_at"),
        "name": keys.folded(span.name),
        "session": session,
        "turn": turn,
        "run": run,
        "data": span.SerializeToString(),
    }


def _owner(tenant: str, span: pb.Span) -> Owner:
    return Owner(tenant, KIND, span.trace_id + span.span_id)


def _is(tenant: str, span: pb.Span) -> tuple[ColumnElement[bool], ...]:
    return SPANS.c.tenant == tenant, SPANS.c.trace_id == span.trace_id, SPANS.c.span_id == span.span_id


def _conditions(tenant: str, request: pb.SearchSpansRequest) -> list[ColumnElement[bool]]:
    found = [SPANS.c.tenant == tenant]
    equal = {
        "session_id": SPANS.c.session,
        "turn_id": SPANS.c.turn,
        "run_id": SPANS.c.run,
        "trace_id": SPANS.c.trace_id,
    }
    for name, column in equal.items():
        if request.HasField(name):  # type: ignore[arg-type]  # the names are the message's
            found.append(column == keys.exact(getattr(request, name)))
    if request.query:
        found.append(SPANS.c.name.contains(keys.folded(request.query), autoescape=True))
    if request.HasField("after"):
        found.append(SPANS.c.moment >= keys.moment(request.after, "after"))
    if request.HasField("before"):
        found.append(SPANS.c.moment < keys.moment(request.before, "before"))
    key = SPANS.c.trace_id.concat(SPANS.c.span_id)
    return [*found, *members.equal(tenant, KIND, key, request.filters)]
