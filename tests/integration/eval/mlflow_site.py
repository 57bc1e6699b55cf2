"""An MLflow server on loopback, as far as a client needs it to copy a run: one experiment with one run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

_API = "/api/2.0/mlflow/"
_FILES = "/api/2.0/mlflow-artifacts/artifacts"
RUN = "copy"


@dataclass
class MlflowSite:
    """What the server was told."""

    url: str = ""
    experiment: str = ""
    info: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a call of the REST API."""
        if request.path.startswith(_FILES):
            return await self._file(request)
        body = await request.json() if request.can_read_body else {}
        match request.path.removeprefix(_API):
            case "experiments/get-by-name":
                known = {"experiment_id": "1", "name": self.experiment, "lifecycle_stage": "active"}
                return web.json_response({"experiment": known}) if self.experiment else _missing()
            case "experiments/create":
                self.experiment = body["name"]
                return web.json_response({"experiment_id": "1"})
            case "runs/create":
                self.info = {"start_time": body["start_time"], "run_name": body["run_name"], "status": "RUNNING"}
                self._tag(body["tags"])
                return web.json_response({"run": self._run()})
            case "runs/search":
                return web.json_response({"runs": [self._run()] if self.info else []})
            case "runs/get":
                return web.json_response({"run": self._run()})
            case "runs/update":
                self.info |= {name: body[name] for name in ("status", "end_time") if name in body}
                return web.json_response({"run_info": self._run()["info"]})
            case "runs/set-tag":
                self._tag([body])
            case "runs/log-batch":
                self.metrics += body.get("metrics", [])
                self.params |= {param["key"]: param["value"] for param in body.get("params", [])}
                self._tag(body.get("tags", []))
            case "metrics/get-history":
                key = request.query["metric_key"]
                return web.json_response({"metrics": [metric for metric in self.metrics if metric["key"] == key]})
            case _:
                return _missing()
        return web.json_response({})

    def _tag(self, tags: list[dict[str, str]]) -> None:
        self.tags |= {tag["key"]: tag["value"] for tag in tags}

    def _run(self) -> dict[str, Any]:
        known = {"run_id": RUN, "run_uuid": RUN, "experiment_id": "1", "lifecycle_stage": "active"}
        place = {"artifact_uri": f"mlflow-artifacts:/1/{RUN}/artifacts"}
        params = [{"key": key, "value": value} for key, value in self.params.items()]
        tags = [{"key": key, "value": value} for key, value in self.tags.items()]
        return {"info": known | place | self.info, "data": {"params": params, "tags": tags}}

    async def _file(self, request: web.Request) -> web.Response:
        if request.method == "PUT":
            self.files[request.path.removeprefix(f"{_FILES}/1/{RUN}/artifacts/")] = await request.read()
            return web.json_response({})
        folders = sorted({name.partition("/")[0] for name in self.files})
        return web.json_response({"files": [{"path": folder, "is_dir": True} for folder in folders]})


@asynccontextmanager
async def mlflow_site() -> AsyncIterator[MlflowSite]:
    """Serve for the time of the block."""
    site = MlflowSite()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        await runner.cleanup()


def _missing() -> web.Response:
    told = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is none"}
    return web.json_response(told, status=404)
