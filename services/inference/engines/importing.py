"""Imports of heavy packages, one at a time.

transformers, accelerate and vllm import each other in circles, and load their parts when they are first named. Two
threads that enter such a circle at different places wait for each other; Python then gives one of them half a module.
"""

from __future__ import annotations

from threading import RLock
from typing import Final

IMPORTING: Final = RLock()
"""Held by a thread for as long as it imports such a package."""
