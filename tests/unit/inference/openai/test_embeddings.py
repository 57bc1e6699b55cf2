"""Embeddings in both encodings, and the list of models."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

import pytest

from llamastack.openai.v1 import embedding_pb2 as pb
from llamastack.openai.v1 import model_pb2
from llamastack.openai.v1.usage_pb2 import StringList, TextInput, TokenIds, TokenIdsList
from mesh.errors import InvalidField, ResourceNotFound, WrongState
from services.inference.model_spec import AdapterSpec, ModelSpec
from services.inference.openai.models import ModelList
from tests.unit.inference.fakes import EMBEDDING, ScriptedEngine, make_catalog
from tests.unit.inference.openai.serving import CREATED, failure, serving

TWO = TextInput(texts=StringList(values=["one", "three"]))


async def test_each_text_has_a_vector_of_numbers(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine(EMBEDDING)) as stub:
        response = await stub.Embeddings(pb.EmbeddingsRequest(model="m", input=TWO, dimensions=3))
    vectors = [pb.FloatVector(values=[1.0, 0.0, 0.0]), pb.FloatVector(values=[1.0, 0.0, 0.25])]
    assert response == pb.EmbeddingsResponse(
        data=[
            pb.Embedding(index=index, embedding=pb.EmbeddingVector(values=vector))
            for index, vector in enumerate(vectors)
        ],
        model="m",
        usage=pb.EmbeddingsUsage(prompt_tokens=8, total_tokens=8),
    )


async def test_base64_is_that_of_little_endian_floats(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine(EMBEDDING)) as stub:
        request = pb.EmbeddingsRequest(model="m", input=TWO, encoding_format=pb.ENCODING_FORMAT_BASE64)
        response = await stub.Embeddings(request)
    decoded = [struct.unpack("<3f", base64.b64decode(item.embedding.base64)) for item in response.data]
    assert decoded == [(1.0, 0.0, 0.0), (1.0, 0.0, 0.25)]


@pytest.mark.parametrize(
    ("given", "embedded"),
    [
        (TextInput(text="a"), ["a"]),
        (TextInput(tokens=TokenIds(ids=[1, 2])), [(1, 2)]),
        (TextInput(token_lists=TokenIdsList(values=[TokenIds(ids=[1]), TokenIds(ids=[2])])), [(1,), (2,)]),
    ],
)
async def test_every_form_of_an_input_reaches_the_engine(
    tmp_path: Path, given: TextInput, embedded: list[str | tuple[int, ...]]
) -> None:
    engine = ScriptedEngine(EMBEDDING)
    async with serving(tmp_path, engine) as stub:
        await stub.Embeddings(pb.EmbeddingsRequest(model="m", input=given))
    assert engine.embedded == embedded


async def test_other_dimensions_are_refused_by_name(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine(EMBEDDING)) as stub:
        shorter = await failure(stub.Embeddings(pb.EmbeddingsRequest(model="m", input=TWO, dimensions=2)))
    assert isinstance(shorter, InvalidField)
    assert [violation.path for violation in shorter.details.violations] == ["dimensions"]


async def test_a_language_model_does_not_embed(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        assert isinstance(await failure(stub.Embeddings(pb.EmbeddingsRequest(model="m", input=TWO))), WrongState)


def model(name: str, owner: str = "altiplano") -> model_pb2.Model:
    return model_pb2.Model(id=name, created=CREATED, owned_by=owner)


async def test_models_and_adapters_that_are_ready_are_listed_by_id_and_found_by_name(tmp_path: Path) -> None:
    waiting = ScriptedEngine()
    waiting.may_start.clear()
    catalog = make_catalog(tmp_path, {"outer": ScriptedEngine(), "llama": ScriptedEngine(), "late": waiting})
    catalog.register(ModelSpec("late", addresses=("127.0.0.1:9",)))
    for spec in (
        ModelSpec("outer", addresses=("https://models.example.org/v1",)),
        ModelSpec("llama", source=str(tmp_path), aliases=("l",)),
    ):
        async for _ in catalog.watch(catalog.register(spec)):
            pass
    await catalog.load_adapter(AdapterSpec("kind", "llama", str(tmp_path)))
    models = ModelList(catalog)
    listed = [model("kind"), model("llama"), model("outer", "models.example.org")]
    assert models.all() == model_pb2.ListModelsResponse(data=listed)
    assert [models.one(name) for name in ("kind", "l", "late")] == [model("kind"), model("llama"), model("late")]
    with pytest.raises(ResourceNotFound):
        models.one("nope")
    await catalog.stop()


async def test_models_are_served(tmp_path: Path) -> None:
    async with serving(tmp_path, ScriptedEngine()) as stub:
        assert await stub.ListModels(model_pb2.ListModelsRequest()) == model_pb2.ListModelsResponse(data=[model("m")])
        assert await stub.GetModel(model_pb2.GetModelRequest(model="m")) == model("m")
