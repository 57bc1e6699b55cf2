"""Plain text and special tokens never meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamastack.inference.v1.inference_pb2 import ChatCompletionDelta
from services.inference.prompt.stream_decoder import delta_of, started
from services.inference.prompt.vocabulary import Vocabulary
from tests.unit.inference.prompt.messages import tokenizer_json


def test_the_name_of_a_special_token_in_plain_text_is_letters(vocabulary: Vocabulary) -> None:
    assert len(vocabulary.encode("<|eot_id|>")) == len("<|eot_id|>")
    assert vocabulary.encode_trusted("<|eot_id|>") == [vocabulary.special_id("<|eot_id|>")] == [128009]


def test_special_tokens_are_known_by_name(vocabulary: Vocabulary) -> None:
    assert vocabulary.known_ids(["<|eom_id|>", "<|nothing|>"]) == {"<|eom_id|>": 128008}
    with pytest.raises(KeyError, match=r"<\|nothing\|>"):
        vocabulary.special_id("<|nothing|>")


def test_a_checkpoints_folder_has_the_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    assert Vocabulary.load(tmp_path).special_id("<|eot_id|>") == 128009


def test_pieces_become_deltas_of_events() -> None:
    assert [delta_of("a"), delta_of(started())] == [
        ChatCompletionDelta(text="a"),
        ChatCompletionDelta(tool_call=started()),
    ]
