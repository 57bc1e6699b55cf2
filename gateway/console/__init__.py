"""The page at /: what is deployed here, which models there are, and a conversation with one of them.

Plain HTML, CSS and JavaScript modules without any dependency, on the same REST paths that everybody uses.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.assets import Asset, assets_of


def assets() -> Sequence[Asset]:
    """Return every file of the page, the page itself (at /) first."""
    return assets_of(__name__, "/", "/console")
