"""Starts vLLM: from settings to an ``AsyncLLM`` whose engine core process has loaded the model."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mesh.errors import BackendUnavailable, MeshError, WrongState
from services.inference.engine import ModelKind
from services.inference.engines.importing import IMPORTING
from services.inference.engines.precision import Dtype

if TYPE_CHECKING:
    from vllm import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

RESTART_SECONDS = 5.0
# of services.inference.engines.vllm_core, which only the engine core process imports
FAILURE_FILE: Final = "ALTIPLANO_ENGINE_FAILURE_FILE"
_EXECUTOR: Final = "services.inference.engines.vllm_core.CoreExecutor"
_EXTENSION: Final = "services.inference.engines.vllm_worker.CpuWorker"
# a guard answers in text or by labels, which its checkpoint tells
_RUNNERS: Final[Mapping[ModelKind, Literal["generate", "pooling", "auto"]]] = {
    ModelKind.LLM: "generate",
    ModelKind.GUARD: "auto",
    ModelKind.EMBEDDING: "pooling",
    ModelKind.REWARD: "pooling",
}
# what is set in the environment for one core must not reach another one that starts at the same time
_STARTING = threading.Lock()
_OUT_OF_MEMORY: Final = ("memoryerror", "can't allocate memory", "out of memory", "outofmemory", "bad_alloc")


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """How the model is loaded.

    ``model`` is a folder or a name that vLLM finds in its cache; ``context_length`` None is the checkpoint's own;
    ``quantization`` None leaves the weights as they are, else bf16, fp8 or int8; ``dtype`` is what is computed in, auto
    for what :mod:`services.inference.engines.precision` or vLLM takes.
    ``kv_cache_gib`` bounds the cache on a CPU. ``max_adapters`` 0 leaves LoRA out, which is faster.
    ``compiled`` has the model compiled and, on a GPU, its steps captured as CUDA graphs, which takes a C++ compiler,
    half a minute more and, on a CPU, ``max_adapters`` 0; None compiles on a GPU only. ``pieces_per_second`` bounds what
    all streams give together, see :mod:`services.inference.engines.pace`. ``tensor_parallel`` is the number of GPUs
    that each layer is divided over, with a worker process for each.
    """

    model: str
    kind: ModelKind = ModelKind.LLM
    context_length: int | None = None
    quantization: str | None = None
    dtype: Dtype = "auto"
    max_sequences: int = 64
    max_adapters: int = 4
    max_adapter_rank: int = 64
    kv_cache_gib: int = 1
    compiled: bool | None = None
    tensor_parallel: int = 1
    pieces_per_second: int = 1000


def launched(settings: VllmSettings, folder: Path) -> AsyncLLM:
    """Return vLLM with the model loaded; blocks for as long as that takes.

    ``folder`` takes the sockets and files of vLLM, which does not remove them all when it ends.

    Raises:
        WrongState: the checkpoint or the hardware can't do what the settings ask for; another attempt would not either.
        BackendUnavailable: the engine core process ended without a reason, as one does that is killed.
    """
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(settings.kv_cache_gib))
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    with IMPORTING:
        from vllm.platforms import current_platform
        from vllm.usage.usage_lib import UsageContext
        from vllm.utils.ompmultiprocessing import OMPProcessManager
        from vllm.v1.engine.async_llm import AsyncLLM

    reason = folder / "reason"
    places = {FAILURE_FILE: str(reason), "VLLM_RPC_BASE_PATH": str(folder), "TMPDIR": str(folder)}
    with _STARTING, _environment(places):
        try:
            arguments = _arguments(settings, cpu=current_platform.is_cpu())
            config = arguments.create_engine_config(UsageContext.ENGINE_CONTEXT)
            if settings.tensor_parallel > 1:
                return AsyncLLM.from_vllm_config(config, disable_log_stats=True)
            # what vLLM sets for a worker process, the core needs for itself: threads bound to all cores but one
            with OMPProcessManager(config).configure_omp_envs(0, 0):
                return AsyncLLM.from_vllm_config(config, disable_log_stats=True)
        except MemoryError as error:
            raise WrongState("the model could not be loaded: the machine is out of memory") from error
        except (ValueError, OSError, RuntimeError) as error:
            raise _failure(error, reason) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text that says something, the name of its type if it has none."""
    lines = str(error).strip().splitlines()
    if len(lines) > 1 and "validation error" in lines[0]:
        # pydantic's first line only counts its errors; behind each stands what it was given
        return lines[1].strip().partition(" [type=")[0]
    return lines[0] if lines else type(error).__name__


@contextmanager
def _environment(additions: Mapping[str, str]) -> Iterator[None]:
    """Have child processes that start within the block see these variables."""
    # looked up now, this process keeps its own folder for temporary files
    tempfile.gettempdir()
    before = {name: os.environ.get(name) for name in additions}
    os.environ.update(additions)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _failure(error: Exception, reason: Path) -> MeshError:
    """Return what a failed start means."""
    told = reason.read_text() if reason.is_file() else ""
    if not told and isinstance(error, RuntimeError):
        return BackendUnavailable("the engine ended while it loaded the model", retry_after_s=RESTART_SECONDS)
    name, _, text = told.partition(": ")
    text = (text or name) if told else first_line(error)
    if any(sign in f"{name} {text}".lower() for sign in _OUT_OF_MEMORY):
        text = f"the machine is out of memory: {text}"
    return WrongState(f"the model could not be loaded: {text}")


def _arguments(settings: VllmSettings, *, cpu: bool) -> AsyncEngineArgs:
    from vllm import AsyncEngineArgs  # heavy

    adapters = settings.kind is ModelKind.LLM and settings.max_adapters > 0
    compiled = not cpu if settings.compiled is None else settings.compiled
    if compiled and cpu and adapters:
        raise WrongState("a model is compiled on a CPU only where no adapters may be loaded: set MAX_ADAPTERS to 0")
    quantization = settings.quantization if settings.quantization in {"fp8", "int8"} else None
    return AsyncEngineArgs(
        model=settings.model,
        runner=_RUNNERS[settings.kind],
        dtype=settings.dtype,
        quantization=quantization,
        max_model_len=settings.context_length,  # type: ignore[arg-type]  # None is the default
        max_num_seqs=settings.max_sequences,
        scheduling_policy="priority",
        # after a part of a seeded prompt vLLM sets the generator back, which torch's for CPUs refuses: the worker dies
        enable_chunked_prefill=False if cpu else None,
        enable_lora=adapters,
        max_loras=max(1, settings.max_adapters),
        max_lora_rank=settings.max_adapter_rank,  # type: ignore[arg-type]  # vLLM lists the ranks as literals
        enforce_eager=not compiled,
        disable_log_stats=True,
        tensor_parallel_size=settings.tensor_parallel,
        distributed_executor_backend=_EXECUTOR if settings.tensor_parallel == 1 else "mp",
        worker_extension_cls=_EXTENSION if cpu else "",
    )
