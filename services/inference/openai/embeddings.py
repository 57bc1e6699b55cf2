"""Embeddings of OpenAI's API."""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from collections.abc import Sequence

from llamastack.openai.v1 import embedding_pb2 as pb
from mesh.errors import InvalidField
from services.inference.catalog import Catalog
from services.inference.chat import check_target
from services.inference.engine import ModelKind
from services.inference.openai.prompts import text_inputs


class TextEmbeddings:
    """Embeds texts with the models of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        """Keep the catalog."""
        self._catalog = catalog

    async def embed(self, request: pb.EmbeddingsRequest) -> pb.EmbeddingsResponse:
        """Return one unit vector per text.

        Raises:
            ResourceNotFound: no such model.
            WrongState: the model does not embed.
            InvalidField: ``dimensions`` are not the model's own.
        """
        target = self._catalog.resolve(request.model)
        check_target(target, frozenset({ModelKind.EMBEDDING}))
        own = target.info.dimension
        if request.HasField("dimensions") and request.dimensions != own:
            raise InvalidField("dimensions", f"must be {own}: this model's vectors can't be shortened")
        vectors = await target.engine.embed(text_inputs(request.input))
        as_base64 = request.encoding_format == pb.ENCODING_FORMAT_BASE64
        return pb.EmbeddingsResponse(
            data=[
                pb.Embedding(index=index, embedding=_base64(values) if as_base64 else _floats(values))
                for index, values in enumerate(vectors.values)
            ],
            model=target.model_id,
            usage=pb.EmbeddingsUsage(prompt_tokens=vectors.prompt_tokens, total_tokens=vectors.prompt_tokens),
        )


def _floats(values: Sequence[float]) -> pb.EmbeddingVector:
    return pb.EmbeddingVector(values=pb.FloatVector(values=values))


def _base64(values: Sequence[float]) -> pb.EmbeddingVector:
    """Return a vector as little-endian 32-bit floats in base64."""
    packed = array("f", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return pb.EmbeddingVector(base64=b64encode(packed.tobytes()).decode())
