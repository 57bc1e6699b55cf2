"""presidio's recognisers of patterns and checksums, over an English tokenizer without a model.

Nothing is ever downloaded; names of persons and places are not found.
"""

from __future__ import annotations

from typing import Final

import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from spacy.language import Language
from spacy.tokens import Doc

ENGLISH: Final = "en"
_MOST_CHARACTERS: Final = 128 * 1024 * 1024


class OfflineEmailRecognizer(predefined_recognizers.EmailRecognizer):
    """The recogniser of addresses, with the list of public suffixes that came with the package."""

    _suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    def validate_result(self, pattern_text: str) -> bool:
        """Return whether the address ends in a domain that can exist."""
        return self._suffixes(pattern_text).fqdn != ""


@Language.component("altiplano_lemmas")
def lemmas(doc: Doc) -> Doc:
    """Let each word be its own lemma, by which presidio looks for words such as `passport` before a number."""
    for token in doc:
        token.lemma_ = token.lower_
    return doc


def recognizers() -> list[EntityRecognizer]:
    """Return the recognisers of what identifies a person or their money anywhere."""
    known = predefined_recognizers
    return [
        OfflineEmailRecognizer(),
        known.PhoneRecognizer(),
        known.CreditCardRecognizer(),
        known.IbanRecognizer(),
        known.CryptoRecognizer(),
        known.IpRecognizer(),
        known.MedicalLicenseRecognizer(),
        known.UsSsnRecognizer(),
        known.UsItinRecognizer(),
        known.UsPassportRecognizer(),
        known.UsLicenseRecognizer(),
        known.UsBankRecognizer(),
        known.NhsRecognizer(),
    ]


def analyzer() -> AnalyzerEngine:
    """Return the engine."""
    engine = SpacyNlpEngine(models=[{"lang_code": ENGLISH, "model_name": "blank"}])
    tokenizer = spacy.blank(ENGLISH)
    tokenizer.max_length = _MOST_CHARACTERS
    tokenizer.add_pipe("altiplano_lemmas")
    engine.nlp = {ENGLISH: tokenizer}  # type: ignore[assignment]  # declared by its first value, None
    registry = RecognizerRegistry(recognizers=recognizers(), supported_languages=[ENGLISH])
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[ENGLISH])
