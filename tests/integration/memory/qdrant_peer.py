"""A peer that speaks the REST protocol of a Qdrant server, with Qdrant's own engine behind it.

It takes the calls that the store makes, refuses what it does not know, demands the key that it was given, and records
every request, so that tests see what went over the wire.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import qdrant_edge as engine

from mesh.credentials import TlsConfig

Json: TypeAlias = Any
_TYPES = {"keyword": engine.PayloadSchemaType.Keyword, "float": engine.PayloadSchemaType.Float}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Json


class Refused(Exception):
    """A request is answered with this status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass
class QdrantPeer:
    """A running peer; ``broken`` makes it answer every call with that status."""

    folder: Path
    key: str
    url: str = ""
    broken: int = 0
    requests: list[Recorded] = field(default_factory=list)
    _collections: dict[str, engine.EdgeShard] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def answer(self, request: Recorded, key: str | None) -> Json:
        """Return the result of a request."""
        with self._lock:
            self.requests.append(request)
            if key != self.key:
                raise Refused(401, "Must provide an API key or an Authorization bearer token")
            if self.broken:
                raise Refused(self.broken, "Service internal error")
            match request.method, request.path.strip("/").split("/"):
                case "GET", ["collections"]:
                    return {"collections": [{"name": name} for name in self._collections]}
                case "GET", ["collections", name, "exists"]:
                    return {"exists": name in self._collections}
                case method, ["collections", name, *rest]:
                    return self._collection(method, name, rest, request.body)
            raise Refused(404, f"{request.method} {request.path} is not known")

    def sent(self, method: str, ending: str) -> list[Recorded]:
        """Return the requests with this method whose path ends so."""
        return [one for one in self.requests if one.method == method and one.path.endswith(ending)]

    def close(self) -> None:
        """Close every collection."""
        for shard in self._collections.values():
            shard.close()

    def _collection(self, method: str, name: str, rest: list[str], body: Json) -> Json:
        if (method, rest) == ("PUT", []):
            if name in self._collections:
                raise Refused(409, f"Collection `{name}` already exists!")
            self._collections[name] = self._made(name, body)
            return True
        if name not in self._collections:
            if (method, rest) == ("DELETE", []):
                return False
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        shard = self._collections[name]
        match method, rest:
            case "DELETE", []:
                self._collections.pop(name).close()
                return True
            case "GET", []:
                return _described(shard)
            case "PUT", ["index"]:
                shard.update(engine.UpdateOperation.create_field_index(body["field_name"], _schema(body)))
            case "PUT", ["points"]:
                made = [engine.Point(one["id"], one["vector"], one["payload"]) for one in body["points"]]
                shard.update(engine.UpdateOperation.upsert_points(made))
            case "POST", ["points", "delete"]:
                shard.update(engine.UpdateOperation.delete_points_by_filter(_filter(body["filter"])))
            case "POST", ["points", "query"]:
                return {"points": _found(shard, body)}
            case _:
                raise Refused(404, f"{method} {rest} is not known")
        return {"operation_id": len(self.requests), "status": "completed"}

    def _made(self, name: str, body: Json) -> engine.EdgeShard:
        vectors = {
            one: engine.EdgeVectorParams(size=params["size"], distance=engine.Distance.Cosine)
            for one, params in (body.get("vectors") or {}).items()
        }
        path = self.folder / name
        path.mkdir()
        # a server takes a collection without vectors, the engine wants one of some kind
        none = None if vectors else {"none": engine.EdgeSparseVectorParams()}
        return engine.EdgeShard.create(str(path), engine.EdgeConfig(vectors=vectors or None, sparse_vectors=none))


@contextmanager
def qdrant_peer(key: str = "secret", tls: TlsConfig | None = None) -> Iterator[QdrantPeer]:
    """Serve on loopback for the time of the block, over TLS if there is a pair for it."""
    with TemporaryDirectory() as folder:
        peer = QdrantPeer(Path(folder), key)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                parts = urlsplit(self.path)
                request = Recorded(self.command, parts.path, parse_qs(parts.query), body)
                status: int
                answer: Json
                try:
                    status, answer = 200, {"result": peer.answer(request, self.headers.get("api-key")), "status": "ok"}
                except Refused as error:
                    status, answer = error.status, {"status": {"error": str(error)}}
                written = json.dumps(answer | {"time": 0.001}).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            do_GET = do_PUT = do_POST = do_DELETE = handle_one

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if tls is not None:
            context = SSLContext(PROTOCOL_TLS_SERVER)
            context.load_cert_chain(str(tls.certificate), str(tls.key))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        peer.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            peer.close()


def _described(shard: engine.EdgeShard) -> Json:
    schema = {name: {"data_type": "keyword", "points": 0} for name in shard.info().payload_schema}
    return {
        "status": "green",
        "optimizer_status": "ok",
        "segments_count": 1,
        "points_count": 0,
        "config": {
            "params": {},
            "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
            "optimizer_config": {
                "deleted_threshold": 0.2,
                "vacuum_min_vector_number": 1000,
                "default_segment_number": 0,
                "flush_interval_sec": 5,
            },
        },
        "payload_schema": schema,
    }


def _schema(body: Json) -> Any:
    schema = body["field_schema"]
    if isinstance(schema, str):
        return _TYPES[schema]
    expected = {
        "type": "text",
        "tokenizer": "word",
        "lowercase": True,
        "ascii_folding": True,
        "stopwords": "english",
        "stemmer": {"type": "snowball", "language": "english"},
        "scoring": True,
    }
    if schema != expected:
        raise Refused(400, f"the text index {schema} is not known")
    return engine.TextIndexParams(
        tokenizer=engine.TokenizerType.Word,
        lowercase=True,
        ascii_folding=True,
        stopwords=engine.Language.English,
        stemmer=engine.SnowballParams(engine.SnowballLanguage.English),
        scoring=True,
    )


def _found(shard: engine.EdgeShard, body: Json) -> list[Json]:
    query = body["query"]
    asked: Any
    if "text" in query:
        asked = engine.TextQuery(body["using"], query["text"])
    else:
        asked = engine.Query.Nearest(query["nearest"], using=body["using"])
    request = engine.QueryRequest(
        limit=body["limit"],
        query=asked,
        filter=_filter(body["filter"]) if body.get("filter") else None,
        params=engine.SearchParams(exact=body.get("params", {}).get("exact")),
        with_payload=body["with_payload"],
        with_vector=body["with_vector"],
    )
    return [
        {"id": str(one.id), "version": 1, "score": one.score, "payload": one.payload, "vector": one.vector or None}
        for one in shard.query(request)
    ]


def _filter(body: Json) -> engine.Filter:
    def several(name: str) -> list[Any] | None:
        conditions = body.get(name)
        return None if conditions is None else [_condition(one) for one in conditions]

    make: Callable[..., engine.Filter] = engine.Filter
    return make(must=several("must"), should=several("should"), must_not=several("must_not"))


def _condition(body: Json) -> Any:
    if "key" not in body:
        return _filter(body)
    if "match" in body:
        return engine.FieldCondition(body["key"], match=engine.MatchAny(body["match"]["any"]))
    return engine.FieldCondition(body["key"], range=engine.RangeFloat(**body["range"]))
