"""The banks of a tenant and what can be done with them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Final

from llamastack.memory.v1.bank_pb2 import CreateMemoryBankRequest
from llamastack.memory.v1.document_pb2 import MemoryBankDocument
from llamastack.memory.v1.query_pb2 import QueryMemoryBankRequest
from mesh.errors import InvalidField, MeshError, Overloaded, ResourceNotFound
from services.memory.bank import complete, embedding_model
from services.memory.banks import KIND, Banks, Counted, NewBank
from services.memory.documents import Documents, Info, Rule, Whole
from services.memory.inference import Inference
from services.memory.ingestion import Ingestion
from services.memory.preparation import Done, Terms
from services.memory.retrieval import Answer, Retrieval
from services.memory.store import Store

MOST_BYTES: Final = 48 * 1024 * 1024
"""Bytes of documents in one answer."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the library works with."""

    banks: Banks
    documents: Documents
    store: Store
    inference: Inference
    ingestion: Ingestion
    retrieval: Retrieval


class Library:
    """Does what callers ask for, for one tenant at a time.

    Args:
        parts: what it works with.
        default_model: the embedding model of banks that name none.
        max_writes: calls that write documents at once.
    """

    def __init__(self, parts: Parts, default_model: str, max_writes: int) -> None:
        self._banks = parts.banks
        self._documents = parts.documents
        self._parts = parts
        self._default_model = default_model
        self._max_writes = max_writes
        self._writes = 0

    @property
    def writes(self) -> int:
        """The number of calls that write documents."""
        return self._writes

    async def create(self, tenant: str, request: CreateMemoryBankRequest) -> tuple[str, list[Done]]:
        """Make a bank with its first documents; there is none if not one of them went in.

        Raises:
            ResourceExists: the tenant has a bank of that id.
            MeshError: not a single document went in, and this is what the first one failed with.
        """
        _printable("bank_id", request.bank_id)
        _printable("bank_name", request.bank_name)
        config = complete(request.config, self._default_model)
        model = embedding_model(config)
        dimension = await self._parts.inference.dimension(model) if model else None
        bank_id = request.bank_id if request.HasField("bank_id") else None
        bank = await self._banks.create(NewBank(tenant, bank_id, request.bank_name, config, dimension))
        try:
            done = await self.put(tenant, bank.bank_id, request.documents, Terms(Rule.INSERT))
        except MeshError:
            await self._banks.drop(tenant, bank.bank_id)
            raise
        return bank.bank_id, done

    async def page(self, tenant: str, after: str, size: int) -> Sequence[Counted]:
        """Return up to ``size`` banks by id, after one."""
        return await self._banks.counted(tenant, after=after, size=size)

    async def get(self, tenant: str, bank_id: str) -> Counted:
        """Return a bank.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        for found in await self._banks.counted(tenant, bank_id=bank_id):
            return found
        raise ResourceNotFound(KIND, bank_id)

    async def drop(self, tenant: str, bank_id: str) -> None:
        """Delete a bank with its documents.

        Raises:
            ResourceNotFound: the tenant has none of that id.
        """
        await self._banks.drop(tenant, bank_id)

    async def put(self, tenant: str, bank_id: str, documents: Sequence[MemoryBankDocument], terms: Terms) -> list[Done]:
        """Write documents and return what became of each, in their order.

        Raises:
            ResourceNotFound: the tenant has no bank of that id.
            MeshError: not a single document went in, and this is what the first one failed with.
        """
        async with aclosing(self.write(tenant, bank_id, _each(documents), terms)) as progress:
            done = sorted([one async for one in progress], key=lambda one: one.index)
        errors = [one.outcome for one in done if isinstance(one.outcome, MeshError)]
        if errors and len(errors) == len(done):
            raise errors[0]
        return done

    async def write(
        self, tenant: str, bank_id: str, documents: AsyncIterator[MemoryBankDocument], terms: Terms
    ) -> AsyncGenerator[Done, None]:
        """Write documents as they come and yield what became of each.

        Raises:
            ResourceNotFound: the tenant has no bank of that id.
            Overloaded: too many calls write already.
        """
        bank = await self._banks.get(tenant, bank_id)
        with self._writing():
            async with aclosing(self._parts.ingestion.run(bank, documents, terms)) as progress:
                async for done in progress:
                    yield done

    async def documents(
        self, tenant: str, bank_id: str, ids: Sequence[str], start: int
    ) -> tuple[list[Whole], int | None]:
        """Return the documents of these ids that are in a bank, in the order of the ids, from the position ``start``.

        As many as one answer has room for, but at least one; then also the position of the next one, None at the end.

        Raises:
            ResourceNotFound: the tenant has no bank of that id.
        """
        bank = await self._banks.get(tenant, bank_id)
        wanted = list(dict.fromkeys(ids))
        sizes = await self._documents.sizes(bank.uid, wanted[start:])
        room, end = MOST_BYTES, start
        for document_id in wanted[start:]:
            room -= sizes.get(document_id, 0)
            if room < 0 and any(one in sizes for one in wanted[start:end]):
                break
            end += 1
        found = await self._documents.whole(bank.uid, wanted[start:end])
        some = [found[document_id] for document_id in wanted[start:end] if document_id in found]
        return some, end if end < len(wanted) else None

    async def listed(self, tenant: str, bank_id: str, after: str, size: int) -> Sequence[Info]:
        """Return up to ``size`` documents of a bank by id, after one.

        Raises:
            ResourceNotFound: the tenant has no bank of that id.
        """
        bank = await self._banks.get(tenant, bank_id)
        return await self._documents.page(bank.uid, after, size)

    async def delete(self, tenant: str, bank_id: str, ids: Sequence[str]) -> list[str]:
        """Delete documents and return the ids of those that were there, in the order of the ids.

        Raises:
            ResourceNotFound: the tenant has no bank of that id.
        """
        bank = await self._banks.get(tenant, bank_id)
        gone = await self._documents.delete(bank.uid, ids)
        revisions = list(gone.values())
        if bank.shape is not None:
            await self._parts.store.forget(bank.uid, revisions)
        await self._documents.cleared(bank.uid, revisions)
        return [document_id for document_id in dict.fromkeys(ids) if document_id in gone]

    async def query(self, tenant: str, request: QueryMemoryBankRequest) -> Answer:
        """Search a bank.

        Raises:
            ResourceNotFound: the tenant has no bank of that id.
        """
        bank = await self._banks.get(tenant, request.bank_id)
        return await self._parts.retrieval.query(bank, request)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._writes >= self._max_writes:
            raise Overloaded(f"{self._writes} calls write documents and no more are taken")
        self._writes += 1
        try:
            yield
        finally:
            self._writes -= 1


async def _each(documents: Sequence[MemoryBankDocument]) -> AsyncIterator[MemoryBankDocument]:
    for document in documents:
        yield document


def _printable(path: str, text: str) -> None:
    if "\0" in text:
        raise InvalidField(path, "a text without the character of code 0 is needed")
