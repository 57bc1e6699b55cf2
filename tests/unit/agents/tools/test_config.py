"""The settings of tools."""

from __future__ import annotations

import pytest

from mesh.config import ConfigError, load, rows
from services.agents.tools.config import ToolsConfig


def test_secrets_are_named_and_never_shown() -> None:
    environ = {"ALTIPLANO_TOOL_SECRETS": '{"a": "sk-1"}', "ALTIPLANO_BRAVE_SEARCH_API_KEY": "sk-2"}
    config = load(ToolsConfig, environ)
    assert config.reach.named_secrets() == {"a": "sk-1"}
    assert "sk-" not in repr(config)
    assert "sk-" not in str(list(rows(config)))


@pytest.mark.parametrize("secrets", ["sk-1", '["sk-1"]', '{"a": 1}'])
def test_secrets_that_are_no_object_are_refused_without_being_shown(secrets: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(ToolsConfig, {"ALTIPLANO_TOOL_SECRETS": secrets})
    assert caught.value.problems == ["TOOL_SECRETS: a JSON object of names and strings is needed"]
