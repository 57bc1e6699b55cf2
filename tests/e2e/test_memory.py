"""What a user of the running mesh sees of memory banks: documents in over REST, the right one back, by a real model."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.conftest import RunningMesh

pytestmark = pytest.mark.timeout(1500)

DOCUMENTS = {
    "harbour": "Boats may enter the harbour between six in the morning and ten at night.",
    "bakery": "The bakery on the market square sells rye bread and apple cake.",
    "library": "Members of the library may borrow up to eight books for four weeks.",
}


def test_a_question_finds_the_document_that_answers_it(mesh: RunningMesh) -> None:
    documents = [
        {"document_id": name, "content": text, "mime_type": "text/plain", "metadata": {}}
        for name, text in DOCUMENTS.items()
    ]
    bank = {"bank_id": "town"}
    with httpx.Client(base_url=f"http://{mesh.gateway}", timeout=120, trust_env=False) as client:
        created = client.post("/memory_banks/create", params=bank | {"bank_name": "Town"}, json=documents)
        found = client.post("/memory_bank/query", json=bank | {"query": "How long can I keep a borrowed novel?"})
        dropped = client.delete("/memory_banks/drop", params=bank)
        gone = client.get("/memory_banks/get", params=bank)
    assert created.status_code == 200, created.text
    assert found.status_code == 200, found.text
    assert found.json()["chunks"][0]["document_id"] == "library"
    assert dropped.json() == "town"
    assert gone.status_code == 404
