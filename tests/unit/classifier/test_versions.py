"""Version policies choose as TensorFlow Serving's do; nothing is unloaded too early."""

import pytest
from emotion_classifier.versions import All, Latest, Specific, surplus
from hypothesis import given
from hypothesis import strategies as st


def test_policies() -> None:
    present = {1, 2, 10}
    assert Latest().choose(present) == {10}
    assert Latest(2).choose(present) == {2, 10}
    assert Latest(5).choose(present) == present
    assert All().choose(present) == present
    assert Specific(frozenset({1, 7})).choose(present) == {1}


@pytest.mark.parametrize(
    ("wanted", "available", "present", "unloaded"),
    [
        ({2}, {1, 2}, {1, 2}, {1}),  # replaced
        ({2}, {1}, {1, 2}, set()),  # the new one is still loading, or broken
        ({2}, {1}, {2}, set()),  # … even if the old folder is gone
        ({3, 2}, {1, 2}, {1, 2, 3}, set()),
        ({1}, {1, 2}, {1}, {2}),  # the newest was removed
        (set(), {1}, set(), set()),  # the last one was removed
        (set(), {1, 2}, set(), {1}),
        ({1}, {1}, {1}, set()),
        ({4}, {1, 2}, {2, 4}, {1}),  # removed while another loads
    ],
)
def test_surplus(
    wanted: set[int], available: set[int], present: set[int], unloaded: set[int]
) -> None:
    assert surplus(wanted, available, present) == unloaded


numbers = st.frozensets(st.integers(0, 6))


@given(numbers, numbers, st.sampled_from([Latest(), Latest(2), All(), Specific(frozenset({3}))]))
def test_a_model_that_serves_keeps_serving(
    present: frozenset[int], available: frozenset[int], policy: Latest | All | Specific
) -> None:
    wanted = policy.choose(present)
    left = available - surplus(wanted, available, present)
    assert bool(left) == bool(available)
    assert wanted & available <= left
