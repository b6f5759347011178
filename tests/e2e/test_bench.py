"""The benchmark's harness works; how fast anything is decides nothing here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_EXPECTED = {
    "kernel,stack": {
        "kernel.cpu_ms_per_frame",
        "kernel.frames_per_s",
        "stack.cpu_ms_per_frame",
        "stack.ratio_to_kernel",
        "stack.frames_per_s",
        "stack.p99_ms",
    },
    "single,overload,start,memory": {
        "single.p99_over_p50",
        "overload.goodput_ratio",
        "overload.jain",
        "start.healthy_s",
        "memory.idle_mb",
    },
}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.mark.parametrize("parts", list(_EXPECTED))
def test_a_short_run_measures_and_writes_its_figures(parts: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    result = bench("--only", parts, "--seconds", "0.5", "--rounds", "1", "--json", str(file))
    assert result.returncode == 0, result.stderr
    document = json.loads(file.read_text())
    assert _EXPECTED[parts] <= set(document)
    for key in _EXPECTED[parts]:
        assert document[key] > 0
        spread = document["spread"][key]
        assert spread["min"] <= document[key] <= spread["max"]
        assert f"| {key} " in result.stdout


def test_an_unknown_part_is_named() -> None:
    result = bench("--only", "kernel,speed")
    assert result.returncode == 2
    assert "speed is no part; expected some of kernel, stack" in result.stderr
