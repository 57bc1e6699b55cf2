"""The models service over a catalog of scripted engines, through a real channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from llamastack.common.v1.sampling_pb2 import Bf16QuantizationConfig, QuantizationConfig
from llamastack.common.v1.value_pb2 import JsonArray, JsonValue
from llamastack.models.v1 import models_pb2 as pb
from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceStub, add_ModelsServiceServicer_to_server
from mesh.errors import (
    BackendUnavailable,
    MeshError,
    OutOfRange,
    ResourceExists,
    ResourceNotFound,
    WrongState,
    from_rpc,
)
from mesh.testing import mesh_of
from services.inference.catalog import Catalog
from services.inference.engine import EngineInfo
from services.inference.entry import State
from services.inference.model_spec import ModelSpec
from services.inference.models_servicer import ModelsServicer
from tests.unit.inference.fakes import EMBEDDING, NOW, ScriptedEngine, make_catalog, ready_catalog

if TYPE_CHECKING:
    from llamastack.models.v1.models_service_pb2_grpc import ModelsServiceAsyncStub

FOLDER = Path(__file__).parent
CREATED = Timestamp(seconds=int(NOW.timestamp()))
LINEAGE = {"job": JsonValue(array_value=JsonArray(values=[JsonValue(integer_value=9007199254740993)]))}


@asynccontextmanager
async def serving(catalog: Catalog) -> AsyncIterator[ModelsServiceAsyncStub]:
    async with mesh_of({add_ModelsServiceServicer_to_server: ModelsServicer(catalog)}) as mesh:
        yield mesh.stub(ModelsServiceStub)
    await catalog.stop()


async def failure(call: grpc.aio.UnaryUnaryCall[Any, Any]) -> MeshError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return from_rpc(raised.value)


def registration(model_id: str = "llama") -> pb.RegisterModelRequest:
    return pb.RegisterModelRequest(
        model_id=model_id, source=str(FOLDER), aliases=[f"{model_id}-alias"], metadata=LINEAGE
    )


def model(model_id: str = "llama", **changes: object) -> pb.Model:
    known = pb.Model(
        model_id=model_id,
        kind=pb.MODEL_KIND_LLM,
        state=pb.MODEL_STATE_READY,
        source=str(FOLDER),
        engine="vllm",
        context_length=4096,
        quantization_config=QuantizationConfig(bf16=Bf16QuantizationConfig()),
        aliases=[f"{model_id}-alias"],
        metadata=LINEAGE,
        created_at=CREATED,
    )
    known.MergeFrom(pb.Model(**changes))  # type: ignore[arg-type]  # fields by name
    return known


async def test_a_registered_model_is_returned_when_it_is_ready_and_found_by_every_name(tmp_path: Path) -> None:
    async with serving(make_catalog(tmp_path, {"llama": ScriptedEngine()})) as stub:
        registered = await stub.RegisterModel(registration())
        again = await stub.RegisterModel(registration())
        found = await stub.GetModel(pb.GetModelRequest(model_id="llama-alias"))
    assert [registered, again, found] == [model()] * 3


async def test_one_of_several_replicas_changes_nothing_that_the_others_would_not_know(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path, {"llama": ScriptedEngine()})
    async with serving(catalog) as alone:
        await alone.RegisterModel(registration())
        async with mesh_of({add_ModelsServiceServicer_to_server: ModelsServicer(catalog, alone=False)}) as mesh:
            stub: ModelsServiceAsyncStub = mesh.stub(ModelsServiceStub)
            assert await stub.RegisterModel(registration()) == model()
            adapter = pb.LoadAdapterRequest(adapter_id="a", model_id="llama", source=str(FOLDER))
            refused = [
                await failure(stub.RegisterModel(registration("other"))),
                await failure(stub.UnregisterModel(pb.UnregisterModelRequest(model_id="llama"))),
                await failure(stub.LoadAdapter(adapter)),
                await failure(stub.UnloadAdapter(pb.UnloadAdapterRequest(adapter_id="a"))),
            ]
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await anext(aiter(stub.StreamRegisterModel(registration("other"))))
            refused.append(from_rpc(raised.value))
        listed = await alone.ListModels(pb.ListModelsRequest())
    assert [(type(error), "one of several replicas" in error.message) for error in refused] == [(WrongState, True)] * 5
    assert list(listed.models) == [model()]


async def test_another_registration_under_a_known_id_or_alias_is_refused(tmp_path: Path) -> None:
    async with serving(make_catalog(tmp_path, {"llama": ScriptedEngine()})) as stub:
        await stub.RegisterModel(registration())
        other = await failure(stub.RegisterModel(pb.RegisterModelRequest(model_id="llama", source=str(FOLDER.parent))))
        alias = await failure(stub.RegisterModel(pb.RegisterModelRequest(model_id="llama-alias", source=str(FOLDER))))
    assert [type(error) for error in (other, alias)] == [ResourceExists, ResourceExists]


async def test_a_streamed_registration_tells_each_phase_and_ends_with_the_model(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.may_start.clear()
    async with serving(make_catalog(tmp_path, {"llama": engine})) as stub:
        call = aiter(stub.StreamRegisterModel(registration()))
        seen = [await anext(call)]
        while seen[-1].phase != pb.REGISTER_PHASE_LOADING:
            seen.append(await anext(call))
        engine.may_start.set()
        seen += [progress async for progress in call]
    phases = list(dict.fromkeys(progress.phase for progress in seen))
    assert phases == [pb.REGISTER_PHASE_RESOLVING, pb.REGISTER_PHASE_LOADING, pb.REGISTER_PHASE_READY]
    assert seen[-1] == pb.RegisterModelProgress(phase=pb.REGISTER_PHASE_READY, model=model())


async def test_a_caller_that_goes_away_does_not_stop_the_registration(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.may_start.clear()
    catalog = make_catalog(tmp_path, {"llama": engine})
    async with serving(catalog) as stub:
        call = stub.StreamRegisterModel(registration())
        await anext(aiter(call))
        call.cancel()
        engine.may_start.set()
        async for _ in catalog.watch(catalog.get("llama")):
            pass
        assert (await stub.GetModel(pb.GetModelRequest(model_id="llama"))) == model()


async def test_a_registration_whose_engine_does_not_start_fails_with_its_reason_and_can_be_repeated(
    tmp_path: Path,
) -> None:
    engine = ScriptedEngine(failure=WrongState("the hardware lacks fp8"))
    async with serving(make_catalog(tmp_path, {"llama": engine})) as stub:
        refused = await failure(stub.RegisterModel(registration()))
        state = await stub.GetModel(pb.GetModelRequest(model_id="llama"))
        engine.failure = None
        assert await stub.RegisterModel(registration()) == model()
    assert isinstance(refused, WrongState)
    assert (state.state, state.state_message) == (pb.MODEL_STATE_FAILED, "the hardware lacks fp8")
    assert engine.stopped


@dataclass
class SlowStarter(ScriptedEngine):
    """An engine that can't be started the first times."""

    attempts: int = 3

    async def start(self) -> EngineInfo:
        self.attempts -= 1
        if self.attempts:
            raise BackendUnavailable("the source is away", retry_after_s=1.0)
        return await super().start()


async def test_a_configured_model_that_can_not_be_loaded_now_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.inference.catalog.FIRST_LOAD_PAUSE_SECONDS", 0.01)
    catalog = make_catalog(tmp_path, {"llama": SlowStarter()})
    entry = catalog.register(ModelSpec("llama"), builtin=True)
    told = [known.message async for known in catalog.watch(entry)]
    await catalog.stop()
    assert entry.ready
    assert {message for message in told if message} == {
        "the source is away; trying again in 0.01 s",
        "the source is away; trying again in 0.02 s",
    }


async def test_a_configured_model_that_can_never_be_loaded_is_tried_once(tmp_path: Path) -> None:
    catalog = make_catalog(tmp_path, {"llama": ScriptedEngine(failure=WrongState("no such architecture"))})
    entry = catalog.register(ModelSpec("llama"), builtin=True)
    with pytest.raises(WrongState, match="no such architecture"):
        _ = [known async for known in catalog.watch(entry)]
    await catalog.stop()
    assert entry.state is State.FAILED


async def test_models_are_listed_by_id_in_pages_and_by_kind(tmp_path: Path) -> None:
    engines = {name: ScriptedEngine() for name in ("c", "a", "b")} | {"e": ScriptedEngine(EMBEDDING)}
    async with serving(await ready_catalog(tmp_path, engines)) as stub:
        first = await stub.ListModels(pb.ListModelsRequest(page_size=3))
        second = await stub.ListModels(pb.ListModelsRequest(page_size=3, page_token=first.next_page_token))
        vectors = await stub.ListModels(pb.ListModelsRequest(kind=pb.MODEL_KIND_EMBEDDING))
        bad = await failure(stub.ListModels(pb.ListModelsRequest(page_token="ä")))
    assert [entry.model_id for entry in first.models] == ["a", "b", "c"]
    assert ([entry.model_id for entry in second.models], second.next_page_token) == (["e"], "")
    assert [(entry.model_id, entry.embedding_dimension) for entry in vectors.models] == [("e", 3)]
    assert isinstance(bad, OutOfRange)


async def test_an_unregistered_model_is_gone_with_its_names_and_its_engine_stopped(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with serving(make_catalog(tmp_path, {"llama": engine})) as stub:
        await stub.RegisterModel(registration())
        await stub.UnregisterModel(pb.UnregisterModelRequest(model_id="llama"))
        gone = await failure(stub.GetModel(pb.GetModelRequest(model_id="llama-alias")))
        twice = await failure(stub.UnregisterModel(pb.UnregisterModelRequest(model_id="llama")))
    assert engine.stopped
    assert [type(error) for error in (gone, twice)] == [ResourceNotFound, ResourceNotFound]


async def test_a_registration_that_is_taken_back_meanwhile_ends(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    engine.may_start.clear()
    async with serving(make_catalog(tmp_path, {"llama": engine})) as stub:
        call = stub.StreamRegisterModel(registration())
        await anext(aiter(call))
        await stub.UnregisterModel(pb.UnregisterModelRequest(model_id="llama"))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            async for _ in call:
                pass
    assert isinstance(from_rpc(raised.value), WrongState)


async def test_an_adapter_is_loaded_listed_under_its_model_and_unloaded(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    source = tmp_path / "adapter"
    source.mkdir()
    request = pb.LoadAdapterRequest(model_id="llama-alias", adapter_id="polite", source=str(source), metadata=LINEAGE)
    adapter = pb.Adapter(
        adapter_id="polite", model_id="llama", source=str(source), rank=8, metadata=LINEAGE, loaded_at=CREATED
    )
    async with serving(make_catalog(tmp_path, {"llama": engine})) as stub:
        await stub.RegisterModel(registration())
        loaded = [await stub.LoadAdapter(request), await stub.LoadAdapter(request)]
        with_it = await stub.GetModel(pb.GetModelRequest(model_id="polite"))
        await stub.UnloadAdapter(pb.UnloadAdapterRequest(adapter_id="polite"))
        without_it = await stub.GetModel(pb.GetModelRequest(model_id="llama"))
        unknown = await failure(stub.UnloadAdapter(pb.UnloadAdapterRequest(adapter_id="polite")))
    assert loaded == [adapter, adapter]
    assert with_it == model(adapters=[adapter])
    assert without_it == model()
    assert isinstance(unknown, ResourceNotFound)
    assert engine.adapters == {}


async def test_an_adapter_of_another_source_under_a_known_id_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with serving(make_catalog(tmp_path, {"llama": ScriptedEngine()})) as stub:
        await stub.RegisterModel(registration())
        requests = [
            pb.LoadAdapterRequest(model_id="llama", adapter_id="polite", source=str(tmp_path / name))
            for name in ("one", "two")
        ]
        await stub.LoadAdapter(requests[0])
        assert isinstance(await failure(stub.LoadAdapter(requests[1])), ResourceExists)


async def test_a_restarted_service_has_its_models_and_adapters_again(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    request = pb.LoadAdapterRequest(model_id="llama", adapter_id="polite", source=str(tmp_path / "adapter"))
    async with serving(make_catalog(tmp_path, {"llama": ScriptedEngine()})) as stub:
        await stub.RegisterModel(registration())
        await stub.LoadAdapter(request)
        before = await stub.GetModel(pb.GetModelRequest(model_id="llama"))
    engine = ScriptedEngine()
    restarted = make_catalog(tmp_path, {"llama": engine})
    restarted.restore()
    async for _ in restarted.watch(restarted.get("polite")):
        pass
    async with serving(restarted) as stub:
        after = await stub.GetModel(pb.GetModelRequest(model_id="llama"))
    assert after == before
    assert engine.adapters == {"polite": str(tmp_path / "adapter")}
    assert restarted.resolve("polite").adapter == "polite"


async def test_adapters_of_a_configured_model_survive_a_restart_too(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    request = pb.LoadAdapterRequest(model_id="llama", adapter_id="polite", source=str(tmp_path / "adapter"))
    async with serving(await ready_catalog(tmp_path, {"llama": ScriptedEngine()})) as stub:
        await stub.LoadAdapter(request)
    engine = ScriptedEngine()
    restarted = make_catalog(tmp_path, {"llama": engine})
    restarted.register(ModelSpec("llama", source=str(FOLDER)), builtin=True)
    restarted.restore()
    async for _ in restarted.watch(restarted.get("llama")):
        pass
    await restarted.stop()
    assert list(engine.adapters) == ["polite"]
