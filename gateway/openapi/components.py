"""Final names of components.

While a document is made, a component is called by its full name and its view. Here it gets the short name that people
see: both views of a message that read alike become one component, and where they differ the view of requests is the one
with the suffix "Input". Of messages of one name in several packages, the one that all areas share keeps it, or else the
RFC's keeps it before OpenAI's; others get their area in front.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from gateway.openapi.schema import Schema, View, references, renamed

SUFFIX = "Input"
# the area that others share, and the one that follows a specification of its own
COMMON, GUEST = "Common", "OpenAI"


def final_names(components: Mapping[str, Schema]) -> dict[str, str]:
    """Return the short name of each component; two components share a name when they are the same."""
    unlike = _unlike(components)
    owners: dict[str, set[str]] = defaultdict(set)
    for key in components:
        owners[_short(key)].add(_area(key))
    names = {}
    for key in components:
        short = _short(key) if _keeps_name(_area(key), owners[_short(key)]) else _area(key) + _short(key)
        names[key] = short + SUFFIX if _is_request(key) and _full(key) in unlike else short
    return names


def _keeps_name(area: str, areas: set[str]) -> bool:
    """Tell whether, of the areas that have a message of one name, this is the one whose message keeps it."""
    return areas == {area} or area == COMMON or (COMMON not in areas and areas - {GUEST} == {area})


def _unlike(components: Mapping[str, Schema]) -> set[str]:
    """Return the full names of the messages whose views differ, be it only in what they refer to."""
    merged = {key: _full(key) for key in components}
    views: dict[str, list[str]] = defaultdict(list)
    for key in components:
        views[_full(key)].append(key)
    both = {full: keys for full, keys in views.items() if len(keys) == 2}
    unlike = {
        full
        for full, (one, other) in both.items()
        if renamed(components[one], merged) != renamed(components[other], merged)
    }
    while True:
        more = {
            full
            for full, keys in both.items()
            if full not in unlike and any(_full(to) in unlike for key in keys for to in references(components[key]))
        }
        if not more:
            return unlike
        unlike |= more


def _full(key: str) -> str:
    return key.partition(":")[0]


def _is_request(key: str) -> bool:
    return key.endswith(f":{View.REQUEST.value}")


def _short(key: str) -> str:
    return _full(key).rpartition(".")[2]


def _area(key: str) -> str:
    """Return the area of a package in CamelCase: "PostTraining" for llamastack.post_training.v1."""
    area = _full(key).split(".")[1]
    return GUEST if area == GUEST.lower() else "".join(part.capitalize() for part in area.split("_"))
