"""``altiplano eval`` and ``altiplano runs`` against a running service."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.integration.eval.serving import Evaluating, evaluating, question

ROOT = Path(__file__).resolve().parents[3]


async def altiplano(service: Evaluating, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command in a folder and return its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={
            "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
            "NO_COLOR": "1",
            "COLUMNS": "160",
            "ALTIPLANO_EVAL_ADDRESS": service.address,
        },
    )
    async with asyncio.timeout(240):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_model_is_evaluated_compared_and_reported(tmp_path: Path) -> None:
    async with evaluating(tmp_path) as service:
        service.peers.datasets.rows["qa"] = [question(str(number), str(number)) for number in range(20)]
        wanted = ("eval", "run", "question_answering", "--dataset", "qa", "--model", "llama", "--metric", "em")
        service.peers.inference.answer = lambda text: "wrong"
        code, out, err = await altiplano(service, tmp_path, *wanted, "--job", "base")
        assert code == 0, err
        assert "em" in out
        assert "0.0000" in out
        assert "20 of 20 samples are scored" in err
        service.peers.inference.answer = lambda text: text.rpartition(" ")[2]
        code, out, _ = await altiplano(service, tmp_path, "eval", "--json", *wanted[1:], "--job", "tuned")
        assert (code, json.loads(out)["metrics"]["em"]["value"]) == (0, 1.0)
        code, out, _ = await altiplano(service, tmp_path, "eval", "compare", "base", "tuned", "--samples", "1")
        assert (code, "+1.0000" in out, "better" in out) == (0, True, True)
        assert out.endswith("\nsample 0: em +1\n- wrong\n+ 0\n")
        code, out, _ = await altiplano(service, tmp_path, "eval", "report", "tuned", "--to", "files")
        names = sorted(path.name for path in (tmp_path / "files").iterdir())
        expected = ["metrics.json", "metrics.png", "report.html", "samples.jsonl", "samples.parquet", "scores.png"]
        assert (code, names) == (0, expected)
        code, out, _ = await altiplano(service, tmp_path, "runs", "--json")
        listed = [json.loads(line) for line in out.splitlines()]
        assert [run["metadata"]["job_uuid"]["string_value"] for run in listed] == ["tuned", "base"]
        code, out, _ = await altiplano(service, tmp_path, "runs", listed[0]["id"])
        assert (code, "completed" in out, "job_uuid=tuned" in out) == (0, True, True)
        code, _, err = await altiplano(service, tmp_path, "eval", "run", "judge", "--dataset", "qa", "--model", "x")
        assert (code, err) == (2, "altiplano: --judge: an evaluation of judge needs it\n")
        code, _, err = await altiplano(service, tmp_path, "eval", "report", "none")
        assert (code, err) == (1, "altiplano: NOT_FOUND: job 'none' does not exist\n")
