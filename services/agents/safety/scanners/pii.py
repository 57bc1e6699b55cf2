"""Looks for personal data with presidio: ``python -m services.agents.safety.scanners.pii``.

A request is ``{"text", "threshold"}``, the answer ``{"entities": [type, ...]}``.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from mesh.apart.serving import serve

_UNUSED: Final = ("torch", "transformers", "stanza", "gliner", "langextract", "spacy_huggingface_pipelines")


def main() -> None:
    """Serve."""
    for name in _UNUSED:
        # Python's own sign of a module that can't be imported: matching patterns needs none of these, and together they
        # take half a minute to import where they happen to be installed
        sys.modules[name] = None  # type: ignore[assignment]
    from services.agents.safety.scanners.recognizers import ENGLISH, analyzer

    engine = analyzer()

    def scan(request: Any) -> dict[str, list[str]]:
        found = engine.analyze(request["text"], ENGLISH, score_threshold=request["threshold"])
        return {"entities": sorted({result.entity_type for result in found})}

    serve(scan)


if __name__ == "__main__":
    main()
