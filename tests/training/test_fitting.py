"""What both trainings have in common."""

from pathlib import Path

import pytest

from training.fitting import fastest_policy


@pytest.mark.parametrize(
    ("flags", "policy"),
    [("fma avx512f", "float32"), ("fma avx512f amx_bf16 amx_tile", "mixed_bfloat16")],
)
def test_bfloat16_is_for_processors_that_multiply_it(
    flags: str, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda _: f"flags : {flags}\n")
    assert fastest_policy() == policy


def test_a_machine_that_does_not_say_gets_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    assert fastest_policy() == "float32"
