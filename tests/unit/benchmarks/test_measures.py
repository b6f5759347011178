import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures import jain_index, largest_passing, median, percentile

numbers = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


def test_percentiles_are_samples_by_nearest_rank() -> None:
    samples = [50.0, 15.0, 40.0, 20.0, 35.0]
    assert [percentile(samples, p) for p in (0, 30, 40, 50, 100)] == [15, 20, 20, 35, 50]
    assert percentile(list(range(1, 101)), 99) == 99


@given(numbers, st.floats(0, 100))
def test_a_percentile_leaves_enough_samples_below(samples: list[float], percent: float) -> None:
    found = percentile(samples, percent)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= len(samples) * percent / 100


@pytest.mark.parametrize(("samples", "percent"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_percentiles_refuse_what_has_none(samples: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        percentile(samples, percent)


@given(numbers)
def test_the_median_is_the_standard_librarys(samples: list[float]) -> None:
    assert median(samples) == pytest.approx(statistics.median(samples))


def test_jain_is_1_for_equal_shares_and_1_over_n_for_one_winner() -> None:
    assert jain_index([7, 7, 7]) == pytest.approx(1)
    assert jain_index([9, 0, 0]) == pytest.approx(1 / 3)
    assert jain_index([0, 0]) == 1
    # Worked by hand: (1 + 2 + 3)^2 / (3 * (1 + 4 + 9)).
    assert jain_index([1, 2, 3]) == pytest.approx(36 / 42)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_jain_lies_between_its_bounds(shares: list[int]) -> None:
    assert 1 / len(shares) - 1e-9 <= jain_index(shares) <= 1 + 1e-9


@pytest.mark.parametrize("shares", [[], [1, -1]])
def test_jain_refuses_nonsense(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="share"):
        jain_index(shares)


@given(st.integers(0, 300), st.integers(1, 300), st.integers(1, 200))
def test_the_largest_passing_number_is_found_and_none_is_tried_twice(
    answer: int, guess: int, limit: int
) -> None:
    tried = []

    def passes(number: int) -> bool:
        tried.append(number)
        return number <= answer

    assert largest_passing(passes, guess, limit) == min(answer, limit)
    assert len(tried) == len(set(tried)) <= 20
    assert all(1 <= number <= limit for number in tried)
