"""The training service as a process of its own, so that it can be killed, with scripted services behind it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc

from llamastack.common.v1 import job_pb2 as common_pb
from llamastack.common.v1.content_pb2 import Url
from llamastack.datasets.v1.dataset_pb2 import TrainEvalDataset
from llamastack.post_training.v1 import job_pb2 as pb
from llamastack.post_training.v1 import post_training_pb2 as requests_pb
from llamastack.post_training.v1 import training_config_pb2 as config_pb
from llamastack.post_training.v1.post_training_service_pb2_grpc import PostTrainingServiceStub
from services.training.cluster import head_keeper, processes
from tests.integration.post_training.peers import Peers, peers
from tests.ports import free_port

DIALOG: Final = 1
TEXT: Final = 2
END_S: Final = 600.0
# nothing is left behind by a test run that is killed; this is not said between fork and exec, where the threads of gRPC
# may end the process
_PROGRAM: Final = """
import runpy
from cli.supervisor import die_with_parent
die_with_parent()
runpy.run_module("services.training", run_name="__main__")
"""
T = TypeVar("T")
COLOURS: Final = ("red", "green", "blue", "black", "white", "pink", "brown", "gray")


@dataclass
class Service:
    """A training service that can die and come back at the same address; ``data`` is its folder."""

    data: Path
    peers: Peers
    port: int
    process: subprocess.Popen[bytes] | None = None
    others: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"127.0.0.1:{self.port}"

    @property
    def channel(self) -> grpc.Channel:
        """A connection to it."""
        return grpc.insecure_channel(self.address, options=[("grpc.enable_http_proxy", 0)])

    @property
    def stub(self) -> Any:
        """The calls of post-training."""
        return PostTrainingServiceStub(self.channel)

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((".", "gen")),
            "ALTIPLANO_TRAINING_DATA": str(self.data),
            "ALTIPLANO_TRAINING_BIND": self.address,
            "ALTIPLANO_TRAINING_DRAIN_GRACE_S": "0",
            "ALTIPLANO_TRAINING_RAY_CPUS": "2",
            "ALTIPLANO_TRAINING_RAY_IDLE_S": "60",
            "ALTIPLANO_INFERENCE_ADDRESS": self.peers.address,
            "ALTIPLANO_EVAL_ADDRESS": self.peers.address,
            "HF_HUB_OFFLINE": "1",
            **self.others,
        }
        with (self.data / "service.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-c", _PROGRAM], env=environment, stdout=log, stderr=log)
        with grpc.insecure_channel(self.address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            grpc.channel_ready_future(channel).result(timeout=300)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)

    def status(self, uuid: str) -> pb.PostTrainingJobStatusResponse:
        """Return where a job is."""
        request = pb.GetPostTrainingJobStatusRequest(job_uuid=uuid)
        return self.stub.GetJobStatus(request, wait_for_ready=True, timeout=30)

    def log(self, uuid: str) -> str:
        """Return a job's log."""
        request = pb.GetPostTrainingJobLogsRequest(job_uuid=uuid)
        return "\n".join(self.stub.GetJobLogs(request, wait_for_ready=True, timeout=30).log_lines)

    def until(self, what: Callable[[], T | None], seconds: float = END_S) -> T:
        """Return what a look gives as soon as it gives something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if (found := what()) is not None:
                return found
            time.sleep(0.1)
        raise AssertionError(
            f"not within {seconds:g} s; the service says\n{(self.data / 'service.log').read_text()[-2000:]}"
        )

    def ended(self, uuid: str) -> pb.PostTrainingJobStatusResponse:
        """Wait for the end of a job and return where it is."""
        final = (common_pb.JOB_STATE_COMPLETED, common_pb.JOB_STATE_FAILED, common_pb.JOB_STATE_CANCELLED)

        def look() -> pb.PostTrainingJobStatusResponse | None:
            found = self.status(uuid)
            return found if found.state in final else None

        return self.until(look)

    def reached(self, uuid: str, step: int) -> pb.PostTrainingJobStatusResponse:
        """Wait until a job has done a step."""

        def look() -> pb.PostTrainingJobStatusResponse | None:
            found = self.status(uuid)
            return found if found.progress.steps.done >= step else None

        return self.until(look)

    def workers(self) -> list[int]:
        """Return the processes that train."""
        return self.members(lambda line: b"RayTrainWorker" in line)

    def head(self) -> list[int]:
        """Return the processes without which the head is none."""
        return self.members(lambda line: b"gcs_server" in line.split(b"\0")[0])

    def members(self, wanted: Callable[[bytes], bool]) -> list[int]:
        """Return the processes of the head whose command lines are wanted; none before there is a head."""
        found = []
        with suppress(FileNotFoundError):
            for process in processes.members(Path((self.data / "ray" / "place").read_text())):
                with suppress(OSError):
                    if wanted(Path(f"/proc/{process}/cmdline").read_bytes()):
                        found.append(process)
        return found


@contextmanager
def running(data: Path, source: Path, **others: str) -> Iterator[Service]:
    """Run a service for the time of the block; nothing that it started outlives it. ``others`` are more variables."""
    data.mkdir(parents=True, exist_ok=True)
    with peers(source) as behind:
        service = Service(data, behind, free_port(), others=others)
        try:
            service.start()
            yield service
        finally:
            service.stop()
            place = data / "ray" / "place"
            if place.exists():
                left = processes.members(Path(place.read_text()))
                assert not left
            assert head_keeper.read(data / "ray") is None


def data_url(rows: Sequence[Any]) -> str:
    """Return rows as a URL that holds them."""
    return "data:application/jsonl," + urllib.parse.quote("".join(json.dumps(row) + "\n" for row in rows))


def examples(words: Sequence[str] = COLOURS) -> TrainEvalDataset:
    """Return dialogs in which the assistant repeats a word."""
    rows = [
        {"dialog": [{"role": "user", "content": f"Say {word}."}, {"role": "assistant", "content": f"{word}!"}]}
        for word in words
    ]
    return TrainEvalDataset(columns={"dialog": DIALOG}, content_url=Url(uri=data_url(rows)))


def sft(uuid: str, *, steps: int = 6, algorithm: int = config_pb.FINETUNING_ALGORITHM_LORA, **options: Any) -> Any:
    """Return a request to learn the examples."""
    return requests_pb.PostTrainingSftRequest(
        job_uuid=uuid,
        model="base",
        dataset=examples(),
        validation_dataset=examples(COLOURS[:2]),
        algorithm=algorithm,
        algorithm_config=config_pb.LoraFinetuningConfig(
            lora_attn_modules=["q_proj", "v_proj"], apply_lora_to_mlp=True, rank=4, alpha=8
        ),
        optimizer_config=config_pb.OptimizerConfig(
            optimizer_type=config_pb.OPTIMIZER_TYPE_ADAMW, lr=1e-3, lr_min=1e-4, weight_decay=0.01
        ),
        training_config=config_pb.TrainingConfig(n_iters=steps, batch_size=2, shuffle=True),
        options=config_pb.TrainingOptions(**options),
    )
