"""Prompts have the exact text of the Llama 3 format and of this model's own conventions."""

from models.builtin.dialogs import Dialog, System, answer, plain, user
from models.builtin.template import builtin_call, guard_text, json_call, prompt, segments, system_text, with_context


def test_a_prompt_ends_with_an_open_assistant_header() -> None:
    dialog = plain("small_talk", "Hi", "Hello!", System(dates="05 July 2024", instructions="Be brief."))
    assert prompt(dialog) == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
        "Today Date: 05 July 2024\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_the_system_section_keeps_the_order_of_llama() -> None:
    section = System(("brave_search", "wolfram_alpha"), True, "01 May 2026", "Help.")
    assert system_text(section) == (
        "Environment: ipython\nTools: brave_search, wolfram_alpha\nCutting Knowledge Date: December 2023\n"
        "Today Date: 01 May 2026\n\nHelp."
    )


def test_only_answers_are_learned() -> None:
    dialog = Dialog("x", (user("a"), answer("b", learned=False), user("c"), answer("d", "<|eom_id|>")), None, "tools")
    assert [text for text, learned in segments(dialog) if learned] == ["d<|eom_id|>"]


def test_retrieved_context_stands_between_its_markers() -> None:
    text = with_context("Who?", [("a-1", "One."), ("b.pdf", "Two.")])
    assert text == "Who?\n--- retrieved context ---\n[a-1] One.\n[b.pdf] Two.\n--- end of context ---"


def test_calls_have_the_forms_that_the_services_decode() -> None:
    assert builtin_call("brave_search", "llamas") == '<|python_tag|>brave_search.call(query="llamas")'
    assert json_call("f", {"n": 3, "city": "Oslo"}) == (
        '<|python_tag|>{"type": "function", "name": "f", "parameters": {"n": 3, "city": "Oslo"}}'
    )


def test_a_guard_task_lists_the_categories_and_the_conversation() -> None:
    text = guard_text("assistant", [("user", "Hi"), ("assistant", "Hello")], ["S1", "S14"])
    assert "<BEGIN UNSAFE CONTENT CATEGORIES>\nS1: Violent Crimes.\nS14: Code Interpreter Abuse.\n<END" in text
    assert "<BEGIN CONVERSATION>\n\nUser: Hi\n\nAgent: Hello\n\n<END CONVERSATION>" in text
    assert "ONLY THE LAST Agent message" in text
