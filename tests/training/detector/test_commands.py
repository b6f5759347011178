"""The command line: what it hands to the training."""

from pathlib import Path
from typing import Any

import pytest

from training.detector import __main__ as command
from training.detector import data, labels, train


@pytest.mark.parametrize(
    ("given", "verbose"), [([], "auto"), (["--verbose", "2"], 2), (["--verbose", "auto"], "auto")]
)
def test_verbose_is_a_number_where_one_is_given(
    given: list[str], verbose: int | str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(data, "load", lambda _: [])
    monkeypatch.setattr(labels, "make", lambda *_: [])
    monkeypatch.setattr(train, "train", lambda *_, verbose: calls.append(verbose))
    assert command.main(["train", "--out", str(tmp_path), *given]) == 0
    assert calls == [verbose]
