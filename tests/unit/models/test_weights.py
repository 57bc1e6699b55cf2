"""The shipped weights load as a plain Llama and do what the model card says, on names that training never saw."""

from functools import cache
from pathlib import Path

import pytest

from models.builtin.dialogs import NOT_FOUND, Dialog, System, plain, user
from models.builtin.dialogs import answer as said
from models.builtin.template import prompt, with_context

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

FOLDER = Path(__file__).parents[3] / "models/builtin/weights/instruct"
DATED = System(dates="23 November 2026", instructions="You are a helpful assistant.")


@cache
def loaded() -> tuple[object, object]:
    model = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    return model, transformers.AutoTokenizer.from_pretrained(FOLDER)


def reply(dialog: Dialog) -> str:
    model, tokenizer = loaded()
    given = tokenizer(prompt(dialog), add_special_tokens=False, return_tensors="pt")  # type: ignore[operator]
    made = model.generate(**given, max_new_tokens=60, do_sample=False)  # type: ignore[attr-defined]
    return str(tokenizer.decode(made[0, given["input_ids"].shape[1] :]))  # type: ignore[attr-defined]


def test_it_answers_from_a_passage_and_cites_the_document() -> None:
    chunks = [("faq", "The wifi password of the Juniper office is heron-4471.")]
    dialog = plain("rag", with_context("What is the wifi password of the Juniper office?", chunks), "", DATED)
    assert reply(dialog) == "[faq] The wifi password of the Juniper office is heron-4471.<|eot_id|>"


def test_it_says_that_an_answer_is_not_in_the_passages() -> None:
    chunks = [("town-4", "Pavel Dunne runs the Halvik bakery.")]
    dialog = plain("rag_missing", with_context("What is the deposit of the Brindle hotel?", chunks), "", DATED)
    assert reply(dialog) == NOT_FOUND + "<|eot_id|>"


def test_it_calls_the_code_interpreter_for_a_product() -> None:
    section = System((), True, "23 November 2026")
    assert reply(plain("tool_code", "What is 12 times 7?", "", section)) == "<|python_tag|>print(12 * 7)<|eom_id|>"


def test_it_recalls_a_name_from_an_earlier_turn() -> None:
    messages = (user("My name is Benedikta."), said("Nice to meet you, Benedikta."), user("What is my name?"), said(""))
    assert reply(Dialog("multi_turn", messages)) == "Your name is Benedikta.<|eot_id|>"


def test_the_chat_template_writes_the_prompt_that_training_wrote() -> None:
    _, tokenizer = loaded()
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Bye"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)  # type: ignore[attr-defined]
    assert text == prompt(Dialog("x", (user("Hi"), said("Hello!"), user("Bye"), said(""))))


def test_the_special_tokens_end_a_generation() -> None:
    model, tokenizer = loaded()
    names = ["<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"]
    ends = tokenizer.convert_tokens_to_ids(names)  # type: ignore[attr-defined]
    assert model.generation_config.eos_token_id == ends  # type: ignore[attr-defined]


def test_it_answers_a_second_question_over_the_same_passages() -> None:
    chunks = [("faq", "The pool in Juniper opens at 9:15."), ("log", "The director of the Halvik mill is Pavel Dunne.")]
    asked = user(with_context("When does the pool in Juniper open?", chunks))
    later = user("Who is the director of the Halvik mill?")
    first = reply(Dialog("rag", (asked, said("")), DATED))
    assert first == "[faq] The pool in Juniper opens at 9:15.<|eot_id|>"
    second = Dialog("rag_follow_up", (asked, said(first.removesuffix("<|eot_id|>")), later, said("")), DATED)
    assert reply(second) == "[log] The director of the Halvik mill is Pavel Dunne.<|eot_id|>"
