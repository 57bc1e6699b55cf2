"""Putting documents into a bank: three stages at once, so that the embedder never waits for the database.

While a group of documents is embedded, the one before is written and the next one is read. Each stage takes a group
when the next stage has taken the one before, so that no more than a few are in memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeAlias

from llamastack.memory.v1.document_pb2 import MemoryBankDocument
from mesh.errors import MeshError, ResourceNotFound, WrongState
from services.memory.bank import Bank
from services.memory.banks import KIND as BANK
from services.memory.conditions import features
from services.memory.documents import BankGone, Documents
from services.memory.inference import Inference
from services.memory.intake import Intake
from services.memory.preparation import Done, Preparation, Prepared, Terms
from services.memory.store import Store, StoredChunk

_Embedded: TypeAlias = tuple[list[Prepared], list[StoredChunk] | MeshError]


@dataclass(frozen=True, slots=True)
class Writing:
    """What a group of documents is written with."""

    inference: Inference
    store: Store
    documents: Documents


class Ingestion:
    """Prepares, embeds and writes documents."""

    def __init__(self, preparation: Preparation, writing: Writing) -> None:
        """Keep the parts."""
        self._preparation = preparation
        self._writing = writing

    async def run(
        self, bank: Bank, incoming: AsyncIterator[MemoryBankDocument], terms: Terms
    ) -> AsyncGenerator[Done, None]:
        """Yield what became of each document as soon as that is certain.

        The next documents are taken when there is room for them.

        Raises:
            ResourceNotFound: the bank was dropped meanwhile.
        """
        run = _Run(self._preparation, self._writing, bank, terms)
        work = asyncio.ensure_future(run.work(Intake(incoming)))
        try:
            while (done := await run.results.get()) is not None:
                yield done
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


@dataclass
class _Run:
    """One call: its stages and what is between them."""

    preparation: Preparation
    writing: Writing
    bank: Bank
    terms: Terms
    results: asyncio.Queue[Done | None] = field(default_factory=lambda: asyncio.Queue(256))
    _ready: asyncio.Queue[list[Prepared] | None] = field(default_factory=lambda: asyncio.Queue(1))
    _embedded: asyncio.Queue[_Embedded | None] = field(default_factory=lambda: asyncio.Queue(1))
    _under_way: set[str] = field(default_factory=set)
    _refused: MeshError | None = None
    _written: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def work(self, intake: Intake) -> None:
        """Run the stages to their ends; the results end with None, also where a stage fails."""
        stages = [asyncio.ensure_future(stage) for stage in (self._prepare(intake), self._embed(intake), self._write())]
        try:
            await asyncio.gather(*stages)
            if self._refused is not None:
                raise self._refused
        finally:
            for stage in stages:
                stage.cancel()
            await asyncio.gather(*stages, return_exceptions=True)
            intake.stop()
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                await self.results.put(None)

    async def _prepare(self, intake: Intake) -> None:
        try:
            await self._prepare_each(intake)
        except MeshError as error:
            # the documents before go in and are told of
            self._refused = error
        await self._ready.put(None)

    async def _prepare_each(self, intake: Intake) -> None:
        while batch := await intake.take():
            ids = {document.document_id for _, document in batch}
            async with self._written:
                # what a document comes to depends on what the one before with its id came to
                while not self._under_way.isdisjoint(ids):
                    await self._written.wait()
            async with aclosing(self.preparation.prepare(self.bank, batch, self.terms)) as groups:
                async for ready in groups:
                    await self._pass_on(ready)

    async def _pass_on(self, ready: Sequence[Done | Prepared]) -> None:
        group: list[Prepared] = []
        for one in ready:
            if isinstance(one, Done):
                await self.results.put(one)
            else:
                group.append(one)
        if group:
            self._under_way |= {member.whole.info.document_id for member in group}
            await self._ready.put(group)

    async def _embed(self, intake: Intake) -> None:
        while (group := await self._ready.get()) is not None:
            began = time.perf_counter()
            try:
                await self._embedded.put((group, await self._chunks(group)))
            except MeshError as error:
                await self._embedded.put((group, error))
            intake.worked(len(group), time.perf_counter() - began)
        await self._embedded.put(None)

    async def _write(self) -> None:
        while (embedded := await self._embedded.get()) is not None:
            group, chunks = embedded
            done = await self._put(group, chunks)
            async with self._written:
                self._under_way -= {one.document_id for one in done}
                self._written.notify_all()
            for one in done:
                await self.results.put(one)

    async def _put(self, group: Sequence[Prepared], chunks: list[StoredChunk] | MeshError) -> list[Done]:
        """Write a group; the revisions before come out of the store last."""
        bank, documents, store = self.bank, self.writing.documents, self.writing.store
        try:
            if isinstance(chunks, MeshError):
                raise chunks
            if bank.shape is not None:
                await documents.begin(bank.uid, [member.whole.info.revision for member in group])
                await store.write(bank.uid, chunks)
            outcomes, left = await documents.commit(bank.uid, [member.whole for member in group], self.terms.rule)
        except BankGone as error:
            raise ResourceNotFound(BANK, bank.bank_id) from error
        except MeshError as error:
            if not await documents.has_bank(bank.uid):
                raise ResourceNotFound(BANK, bank.bank_id) from error
            return [Done(member.index, member.whole.info.document_id, error) for member in group]
        if left and bank.shape is not None:
            await store.forget(bank.uid, left)
        await documents.cleared(bank.uid, left)
        return [
            Done(
                member.index,
                member.whole.info.document_id,
                outcome,
                0 if isinstance(outcome, MeshError) else member.whole.info.chunk_count,
            )
            for member, outcome in zip(group, outcomes, strict=True)
        ]

    async def _chunks(self, group: Sequence[Prepared]) -> list[StoredChunk]:
        bank = self.bank
        if bank.shape is None:
            return []
        pieces = [(member, piece) for member in group for piece in member.pieces]
        vectors: Sequence[Sequence[float] | None] = [None] * len(pieces)
        if bank.embedding_model and pieces:
            vectors = await self.writing.inference.embed(bank.embedding_model, [piece.text for _, piece in pieces])
            if any(vector is None or len(vector) != bank.dimension for vector in vectors):
                raise WrongState(
                    f"model {bank.embedding_model} does not make vectors of {bank.dimension} components any more"
                )
        known = {member.index: features(member.whole.info.metadata) for member in group}
        return [
            StoredChunk(member.whole.info.revision, piece, known[member.index], vector)
            for (member, piece), vector in zip(pieces, vectors, strict=True)
        ]
