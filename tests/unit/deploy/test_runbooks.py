"""Every alert leads to a runbook that is there, and no runbook is left over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]


def test_every_alert_has_a_runbook() -> None:
    groups: list[Any] = yaml.safe_load((ROOT / "deploy/k8s/chart/files/rules.yaml").read_text())
    alerts = {rule["alert"]: rule["annotations"]["runbook"] for group in groups for rule in group["rules"]}
    text = (ROOT / "docs" / "operations.md").read_text().partition("## Runbooks")[2]
    assert {line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")} == set(alerts)
    assert alerts == {name: f"docs/operations.md#{name.lower()}" for name in alerts}
