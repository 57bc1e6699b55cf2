"""Exact match and F1 of answers as SQuAD measures them.

Normalization, in this order: lower case, no ASCII punctuation, no articles (a, an, the as whole words), single blanks
(Rajpurkar et al. 2016, the official script of version 1.1). Where either side has no token left, F1 is 1 if both have
none and else 0 (Rajpurkar et al. 2018, the official script of version 2.0).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Final

_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def normalize(text: str) -> str:
    """Return the text as it is compared."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, references: Sequence[str]) -> float:
    """Return 1.0 if the answer equals one of the references after normalization, else 0.0."""
    return float(any(normalize(answer) == normalize(reference) for reference in references))


def f1(answer: str, references: Sequence[str]) -> float:
    """Return the best F1 over tokens that the answer reaches with one of the references, 0 to 1."""
    return max(_f1(normalize(answer).split(), normalize(reference).split()) for reference in references)


def _f1(answer: list[str], reference: list[str]) -> float:
    if not answer or not reference:
        return float(answer == reference)
    common = (Counter(answer) & Counter(reference)).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(answer), common / len(reference)
    return 2 * precision * recall / (precision + recall)
