import json

import pytest

from benchmarks.figures import TARGETS, Figures, Target
from benchmarks.report import BEGIN, END, insert, number, table, to_json


def measured() -> Figures:
    figures = Figures()
    for value in (2.5, 1.5, 9.0):
        figures.add("stack.ratio_to_kernel", value, "", "CPU of the stack, in kernel's")
        figures.add("stack.frames_per_s", 100 * value, "1/s", "analysed")
    figures.note("something is missing")
    figures.note("something is missing")
    return figures


def test_a_figure_is_the_median_of_its_rounds_with_their_spread() -> None:
    figure = measured()["stack.ratio_to_kernel"]
    assert figure.median == 2.5
    assert figure.spread == (1.5, 9.0)
    assert measured().latest("stack.ratio_to_kernel") == 9.0
    assert "stack.ratio_to_kernel" in measured()
    assert "kernel.cpu_ms_per_frame" not in measured()


def test_targets_know_their_direction() -> None:
    assert Target(2, at_least=False).is_met(2)
    assert not Target(2, at_least=False).is_met(2.1)
    assert Target(24, at_least=True).is_met(24)
    assert not Target(24, at_least=True).is_met(23)
    assert str(TARGETS["clients.at_15fps"]) == "≥ 24"


def test_the_table_has_a_line_a_figure_and_tells_which_targets_are_missed() -> None:
    lines = table(measured()).splitlines()
    assert len({len(line) for line in lines[:4]}) == 1
    assert "2.50" in lines[2]
    assert "≤ 2 ✗" in lines[2]
    assert "250 1/s" in lines[3]
    assert lines[4:] == ["", "something is missing"]


def test_json_has_medians_under_the_figures_names_and_spread_beside() -> None:
    document = json.loads(to_json(measured(), {"faces": [{"x": 1.0}]}, {"cores": 2}))
    assert document["stack.ratio_to_kernel"] == 2.5
    spread = document["spread"]["stack.frames_per_s"]
    assert spread == {"min": 150, "max": 900, "rounds": 3, "unit": "1/s"}
    assert document["scaling"] == {"faces": [{"x": 1}]}
    assert document["notes"] == ["something is missing"]
    assert document["machine"] == {"cores": 2}


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = insert(document, "new")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert insert(once, "new") == once
    with pytest.raises(ValueError, match="expected the lines"):
        insert("a document without them", "new")


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (3, "3"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text
