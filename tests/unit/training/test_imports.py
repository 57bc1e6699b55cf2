"""The service starts without what only its jobs need."""

from __future__ import annotations

import subprocess
import sys


def test_the_service_loads_neither_torch_nor_ray() -> None:
    program = (
        "import sys, services.training.app; "
        "print(sorted({'torch', 'ray', 'trl', 'transformers', 'peft', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout.strip() == "[]"
