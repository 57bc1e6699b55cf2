"""The page at /docs: an API reference made in the browser out of /openapi.json.

Plain HTML, CSS and JavaScript modules without any dependency; nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.assets import Asset, assets_of


def assets() -> Sequence[Asset]:
    """Return every file of the page, the page itself (at /docs) first."""
    return assets_of(__name__, "/docs", "/docs")
