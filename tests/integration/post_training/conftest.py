"""One training service with one Ray head for all tests of this folder: a head takes long to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.post_training.service import Service, running
from tests.tiny_model import CHAT_TEMPLATE, make_checkpoint


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service for the session."""
    folder = tmp_path_factory.mktemp("post_training")
    base = make_checkpoint(folder / "base")
    (base / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    with running(folder / "data", base) as found:
        yield found
