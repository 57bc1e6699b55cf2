"""Measure a model folder: `python -m models.builtin.evaluate FOLDER`.

Prints exact match per skill over generated cases with unseen values, in training and in held-out phrasings, and then
the handwritten cases, which are decoded greedily and checked for the facts, calls or words they must contain.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModelForCausalLM

from .dialogs import UNSEEN_VALUES, UNSEEN_WORDING, Dialog, Message, System, Tally
from .functions import LAYOUTS
from .scoring import table, tally
from .template import GUARD_CATEGORIES, guard_text, prompt, with_context

HANDWRITTEN = Path(__file__).parent / "handwritten.jsonl"
TODAY = "23 November 2026"


def tool_definition(tool: dict[str, Any]) -> str:
    """Return the JSON of a handwritten tool in the nested form."""
    properties = {
        name: {"type": entry["param_type"], "description": entry["description"]}
        for name, entry in sorted(tool["parameters"].items())
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    function = {"name": tool["name"], "description": tool["description"], "parameters": schema}
    return json.dumps({"type": "function", "function": function})


def dialog_of(case: dict[str, Any]) -> Dialog:
    """Return the dialog of a handwritten case, with an empty answer at its end."""
    messages = [Message(entry["role"], entry["content"]) for entry in case["messages"]]
    if "context" in case:
        chunks = [(chunk["id"], chunk["text"]) for chunk in case["context"]]
        messages[-1] = Message("user", with_context(messages[-1].content, chunks))
    if "guard" in case:
        talk = [(entry["role"], entry["content"]) for entry in case["guard"]]
        messages = [Message("user", guard_text(talk[-1][0], talk, list(GUARD_CATEGORIES)))]
    messages = [
        Message(entry.role, entry.content, "<|eom_id|>") if entry.content.startswith("<|python_tag|>") else entry
        for entry in messages
    ]
    tools = tuple(case.get("builtin_tools", ()))
    section = System(tools, bool(tools) or case.get("ipython", False), TODAY, "You are a helpful assistant.")
    definitions = "\n".join(tool_definition(tool) for tool in case.get("custom_tools", ()))
    text = LAYOUTS[0].replace("{d}", definitions) if definitions else ""
    return Dialog(case["skill"], (*messages, Message("assistant", "")), None if "guard" in case else section, text)


def passes(check: dict[str, Any], output: str) -> bool:
    """Return whether an output, cut before its end token, meets the check of its case."""
    kind = check["kind"]
    if kind == "equals":
        return output == str(check["text"])
    if kind == "json":
        try:
            call = json.loads(output.removeprefix("<|python_tag|>"))
        except json.JSONDecodeError:
            return False
        return bool(call == {"type": "function", "name": check["name"], "parameters": check["parameters"]})
    if kind == "code":
        return output.startswith("<|python_tag|>") and printed(output.removeprefix("<|python_tag|>")) == check["stdout"]
    if kind == "query":
        shape = f'<|python_tag|>{check["tool"]}.call(query="'
        if not (output.startswith(shape) and output.endswith('")')):
            return False
        output = output[len(shape) : -2]
    return all(part in output for part in check["all"]) and not any(part in output for part in check["none"])


def printed(program: str) -> str:
    """Return what a program of the model prints, or the kind of failure; only short arithmetic is ever run here."""
    if not all(line.startswith(("print(", "numbers = [", "import math")) for line in program.splitlines()):
        return "refused"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=10, check=False
        )
    except subprocess.TimeoutExpired:
        return "timeout"
    return done.stdout.strip()


def generate(model: Any, tokenizer: Tokenizer, text: str, limit: int = 160) -> str:
    """Return the greedy continuation of a prompt without its end token."""
    given = torch.tensor([tokenizer.encode(text, add_special_tokens=False).ids])
    with torch.no_grad():
        made = model.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=limit, do_sample=False)
    output = tokenizer.decode(made[0, given.shape[1] :].tolist(), skip_special_tokens=False)
    for end in ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"):
        output = output.split(end)[0]
    return output


def handwritten(model: Any, tokenizer: Tokenizer) -> tuple[Tally, list[str]]:
    """Return the counts over the handwritten cases and a line for each failure."""
    result, failures = Tally(), []
    for line in HANDWRITTEN.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        output = generate(model, tokenizer, prompt(dialog_of(case)))
        right = passes(case["check"], output)
        result.add("handwritten", right)
        if not right:
            asked = (case["messages"] or case["guard"])[-1]["content"]
            failures.append(f"  {case['skill']}: {asked!r} -> {output!r}")
    return result, failures


def main() -> None:
    """Print the tables for the folder given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=300, help="generated cases per skill and column")
    parser.add_argument("--show", type=int, default=0, help="print this many wrong generated cases")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tokenizer = Tokenizer.from_file(str(arguments.folder / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(arguments.folder, dtype=torch.float32)
    model.train(False)

    def logits(tokens: Tensor) -> Tensor:
        output: Tensor = model(tokens).logits
        return output

    counts, failures = handwritten(model, tokenizer)
    print(
        f"handwritten   {counts.right['handwritten']} of {counts.total['handwritten']}", *failures, sep="\n", flush=True
    )
    columns: dict[str, Tally] = {}
    for title, side in (("training phrasings", UNSEEN_VALUES), ("held-out phrasings", UNSEEN_WORDING)):
        if not arguments.cases:
            break
        columns[title], wrong = tally(logits, tokenizer, side, arguments.cases)
        for dialog in wrong[:: max(1, len(wrong) // arguments.show)] if arguments.show else ():
            asked, got = dialog.messages[-2].content, generate(model, tokenizer, prompt(dialog))
            print(f"[{title}] {dialog.skill}: {asked!r}\n   want {dialog.answer!r}\n   got  {got!r}")
        print(table(columns), flush=True)


if __name__ == "__main__":
    main()
