"""Every service as it is put together from the environment, in this process, on SQLite and without a model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from inspect import isawaitable
from pathlib import Path
from typing import Any

from mesh.config import load
from mesh.telemetry.process import ProcessTelemetry
from services.agents.app import App as AgentsApp
from services.agents.config import AgentsConfig
from services.eval.app import App as EvalApp
from services.eval.config import EvalConfig
from services.inference.app import App as InferenceApp
from services.inference.config import InferenceConfig
from services.memory.app import App as MemoryApp
from services.memory.config import MemoryConfig
from services.training.app import App as TrainingApp
from services.training.config import TrainingConfig

SECRET = "the secret of a mesh in a test..."

APPS: Mapping[str, tuple[Any, Callable[..., Any]]] = {
    "inference": (InferenceConfig, InferenceApp),
    "agents": (AgentsConfig, AgentsApp),
    "memory": (MemoryConfig, MemoryApp),
    "training": (TrainingConfig, TrainingApp),
    "eval": (EvalConfig, EvalApp),
}


@asynccontextmanager
async def running(name: str, folder: Path, **settings: str) -> AsyncIterator[Any]:
    """Run the app of a service, with more settings by their whole names if given; nobody it could call is there."""
    own = f"ALTIPLANO_{name.upper()}"
    environ = {
        "ALTIPLANO_MESH_SECRET": SECRET,
        f"{own}_BIND": "127.0.0.1:0",
        f"{own}_DATA": str(folder / name),
        f"{own}_DRAIN_GRACE_S": "0",
        "ALTIPLANO_MAX_ATTEMPTS": "1",
        "ALTIPLANO_INFERENCE_MODEL": "",
        "ALTIPLANO_INFERENCE_EMBEDDING_MODEL": "",
        **{f"ALTIPLANO_{peer.upper()}_ADDRESS": f"unix:{folder}/none.sock" for peer in APPS},
        **settings,
    }
    config = load(APPS[name][0], environ, service=name)
    app = APPS[name][1](config, ProcessTelemetry(config.telemetry, name))
    begun = app.begin()
    if isawaitable(begun):
        await begun
    try:
        await app.server.start()
        yield app
    finally:
        await app.server.stop()
        await app.stop()
