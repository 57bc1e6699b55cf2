from __future__ import annotations

import pytest

from services.inference.prompt.vocabulary import Vocabulary
from tests.unit.inference.prompt.messages import tokenizer_json


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary(tokenizer_json())
