"""Where the answers of a dialog come from in its prompt: targets for attention heads while the model is trained.

A language model learns to copy only through the token that comes out, and a wrong token says little about where the
model should have looked. The source of most tokens is known, so that chosen heads can be told it directly. Nothing of
this is in the finished model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Kinds of places, each for a token that looks and the token that it looks at: what the next token is copied from; the
# end of the statement that the answer quotes; the first and the last token around the id of the passage or answer that
# the token stands in; and from the end of every statement the question that it answers, or the very first token.
COPIED, QUOTED, ID_BEGIN, ID_END, ANSWERS = range(5)
KINDS = 5
NOWHERE = -1
SHORTEST = 2
# The token that opens and closes the passages, and the characters that begin what follows a statement.
RULE = "---"
BREAKS = "\u0120\u010a"


def spans(learned: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the first token and the one after the last of every answer."""
    edges = [place for place in range(1, len(learned)) if learned[place] != learned[place - 1]]
    edges += [len(learned)] * (len(edges) % 2)
    return list(zip(edges[::2], edges[1::2], strict=True))


def copy_sources(stems: Sequence[int], learned: Sequence[bool]) -> list[int]:
    """Return for each token of an answer the place in the prompt that it is copied from, or NOWHERE.

    `stems` are token ids in which spelling variants are the same. The source is the place in the longest stretch of at
    least SHORTEST tokens that stands in the prompt and again around the token; it must be the only one of that length.
    Neither earlier answers nor the token that ends an answer take part.
    """
    sources = [NOWHERE] * len(stems)
    for first, last in spans(learned):
        places: dict[int, list[int]] = {}
        for place in range(first):
            if not learned[place]:
                places.setdefault(stems[place], []).append(place)
        longest = [SHORTEST - 1] * len(stems)
        running: dict[int, int] = {}
        for token in range(first, last):
            found = places.get(stems[token], ()) if token < last - 1 else ()
            reached = {place: running.get(place - 1, 0) + 1 for place in found}
            for place, length in running.items():
                if place + 1 not in reached:
                    _mark(sources, longest, token - 1, place, length)
            running = reached
    return sources


def _mark(sources: list[int], longest: list[int], token: int, place: int, length: int) -> None:
    """Note a stretch of `length` tokens that ends at `token` and, in the prompt, at `place`."""
    for back in range(length):
        if length > longest[token - back]:
            sources[token - back], longest[token - back] = place - back, length
        elif length == longest[token - back] > SHORTEST - 1:
            sources[token - back] = NOWHERE


def statement_ends(sources: Sequence[int], learned: Sequence[bool], refused: Mapping[int, int]) -> list[int]:
    """Return for each token of an answer the place of the last token of the statement that it quotes, or NOWHERE.

    Only there has a model that reads from left to right seen the whole statement. `refused` gives the place instead for
    an answer that says there is none, under the answer's first token.
    """
    ends = [NOWHERE] * len(sources)
    for first, last in spans(learned):
        ends[first:last] = [refused.get(first, sources[last - 2])] * (last - first)
    return ends


def id_places(tokens: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return for each token of a passage or of an answer the places of the first token of its id and of its `]`.

    A token before these, or outside of a passage, has NOWHERE.
    """
    begins, ends = [NOWHERE] * len(tokens), [NOWHERE] * len(tokens)
    begin = end = NOWHERE
    for place, token in enumerate(tokens):
        if token == "[":
            begin, end = place + 1, NOWHERE
        elif token == "]" and begin != NOWHERE:
            end = place
        elif token in (RULE, "<|eot_id|>"):
            begin = end = NOWHERE
        if place >= begin:
            begins[place], ends[place] = begin, end
    return begins, ends


def answered(tokens: Sequence[str], quoted: int) -> list[int]:
    """Return for the end of each statement of the passages the end of the question, or 0, or NOWHERE for other tokens.

    `quoted` is the end of the statement that answers the question, which stands before the passages. The first token
    means that the statement does not answer it.
    """
    places = [NOWHERE] * len(tokens)
    rules = [place for place, token in enumerate(tokens) if token == RULE]
    if len(rules) < 2 or quoted == NOWHERE:
        return places
    for place in range(rules[0], rules[1]):
        if tokens[place] == "." and tokens[place + 1][0] in BREAKS:
            places[place] = rules[0] - 2 if place == quoted else 0
    return places


def answer_places(stems: Sequence[int], learned: Sequence[bool]) -> list[list[int]]:
    """Return the places of every kind for a dialog without passages, as `passage_places` does."""
    unknown = [NOWHERE] * len(stems)
    return [copy_sources(stems, learned), *[unknown] * (KINDS - 1)]


def passage_places(
    tokens: Sequence[str], stems: Sequence[int], learned: Sequence[bool], refused: Mapping[int, int]
) -> list[list[int]]:
    """Return for every kind, and every token of a dialog, the place to look at while that token is predicted."""
    sources = copy_sources(stems, learned)
    ends = statement_ends(sources, learned, refused)
    (first, _), *_ = spans(learned)
    looking = (*id_places(tokens), answered(tokens, ends[first]))
    return [sources, ends, *([NOWHERE, *places[:-1]] for places in looking)]
