"""Faces keep their number while they stay, and their scores are calm."""

import math
import random
from collections.abc import Callable

import pytest
from emotion_gateway.tracking import FORGET_AFTER_US, MAX_TRACKS, Box, Track, Tracker
from hypothesis import given
from hypothesis import strategies as st

SECOND = 1_000_000


def face(x: float, y: float = 0.5, size: float = 0.2) -> Box:
    """A square face with its centre at x, y."""
    return (x - size / 2, y - size / 2, size, size)


def follow(
    tracker: Tracker, times_us: list[int], *places: Callable[[float], Box]
) -> list[list[int]]:
    """The track ids of faces, each a function of seconds, at some times."""
    return [
        [seen.track.track_id for seen in tracker.update([p(t / SECOND) for p in places], t)]
        for t in times_us
    ]


def at_fps(fps: float, seconds: float) -> list[int]:
    return [round(i * SECOND / fps) for i in range(int(seconds * fps))]


@pytest.mark.parametrize("fps", [2, 5, 10, 30, 60])
def test_a_face_that_crosses_the_picture_in_two_seconds_keeps_its_number(fps: int) -> None:
    ids = follow(Tracker(), at_fps(fps, 2), lambda s: face(0.1 + 0.4 * s))
    assert ids == [[1]] * (2 * fps)


@pytest.mark.parametrize("seed", range(5))
def test_a_face_keeps_its_number_at_any_irregular_rate_between_1_and_60(seed: int) -> None:
    source = random.Random(seed)
    times = [0]
    while times[-1] < 20 * SECOND:
        times.append(times[-1] + round(SECOND / source.uniform(1, 60)))
    ids = follow(
        Tracker(), times, lambda s: face(0.5 + 0.3 * math.sin(s), 0.5 + 0.2 * math.cos(s / 2))
    )
    assert ids == [[1]] * len(times)


@pytest.mark.parametrize("seed", range(5))
def test_a_trembling_box_stays_one_track(seed: int) -> None:
    source = random.Random(seed)
    ids = follow(
        Tracker(),
        at_fps(30, 4),
        lambda _: face(0.5 + source.gauss(0, 0.01), 0.5, 0.2 * source.uniform(0.9, 1.1)),
    )
    assert ids == [[1]] * 120


@pytest.mark.parametrize("fps", [10, 15, 30, 60])
@pytest.mark.parametrize("y_offset", [0.0, 0.05])
def test_two_faces_that_cross_keep_their_numbers(fps: int, y_offset: float) -> None:
    ids = follow(
        Tracker(),
        at_fps(fps, 2),
        lambda s: face(0.2 + 0.3 * s, 0.5),
        lambda s: face(0.807 - 0.3 * s, 0.5 + y_offset),
    )
    assert ids == [[1, 2]] * (2 * fps)


def test_the_order_of_the_boxes_does_not_matter() -> None:
    tracker = Tracker()
    left, right = face(0.2), face(0.8)
    assert [s.track.track_id for s in tracker.update([left, right], 0)] == [1, 2]
    assert [s.track.track_id for s in tracker.update([right, left], 33_000)] == [2, 1]


def test_a_face_that_is_missed_for_a_second_keeps_its_number() -> None:
    tracker = Tracker()
    follow(tracker, [0, 33_000], lambda _: face(0.5))
    tracker.update([], 500_000)
    assert follow(tracker, [1_000_000], lambda _: face(0.5)) == [[1]]


def test_a_face_that_was_gone_too_long_is_a_new_one() -> None:
    tracker = Tracker()
    follow(tracker, [0], lambda _: face(0.5))
    assert follow(tracker, [FORGET_AFTER_US + 1], lambda _: face(0.5)) == [[2]]


def test_a_face_that_appears_where_another_is_far_away_is_new() -> None:
    tracker = Tracker()
    follow(tracker, [0], lambda _: face(0.1))
    assert follow(tracker, [33_000], lambda _: face(0.9)) == [[2]]


def test_a_much_larger_face_in_the_same_place_is_new() -> None:
    tracker = Tracker()
    follow(tracker, [0], lambda _: face(0.5, size=0.1))
    assert follow(tracker, [33_000], lambda _: face(0.5, size=0.5)) == [[2]]


def test_a_clock_that_runs_backwards_counts_as_standing_still() -> None:
    tracker = Tracker()
    ids = follow(tracker, [SECOND, 500_000, 0, SECOND, 33_000 + SECOND], lambda _: face(0.5))
    assert ids == [[1]] * 5
    assert tracker.tracks[0].seen_at_us == 33_000 + SECOND


BOXES = st.lists(
    st.tuples(*[st.floats(0, 1, width=32)] * 4),
    max_size=12,
)


@given(st.lists(st.tuples(BOXES, st.integers(0, 3 * SECOND)), max_size=12))
def test_numbers_are_unique_in_each_picture_and_new_ones_only_rise(
    pictures: list[tuple[list[Box], int]],
) -> None:
    tracker = Tracker()
    time_us = 0
    highest = 0
    for boxes, pause_us in pictures:
        time_us += pause_us
        before = {track.track_id for track in tracker.tracks}
        seen = tracker.update(boxes, time_us)
        ids = [s.track.track_id for s in seen]
        assert len(set(ids)) == len(ids) == len(boxes)
        assert [s.track.box for s in seen] == boxes
        new = [i for i in ids if i not in before]
        assert all(i > highest for i in new), "a number is never used again"
        highest = max([highest, *new])
        assert tracker.next_track_id == highest + 1


def test_a_clock_that_stands_still_cannot_make_tracks_without_end() -> None:
    tracker = Tracker()
    for i in range(3000):
        seen = tracker.update([face(i % 50, i % 49)], 1)
        assert seen[0].track in tracker.tracks
    assert len(tracker.tracks) <= MAX_TRACKS


def test_when_there_are_too_many_tracks_those_unseen_for_longest_go() -> None:
    tracker = Tracker()
    crowd = [face(float(i)) for i in range(MAX_TRACKS)]
    tracker.update(crowd, 0)
    tracker.update(crowd[:-1], 33_000)
    ids = [s.track.track_id for s in tracker.update([*crowd[:-1], face(500.0)], 66_000)]
    assert ids == [*range(1, MAX_TRACKS), MAX_TRACKS + 1]
    assert sorted(t.track_id for t in tracker.tracks) == ids


HAPPY = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
SAD = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_without_smoothing_scores_are_the_raw_ones() -> None:
    track = Track(1, face(0.5), 0)
    assert track.smooth(HAPPY, 0, 0) == HAPPY
    assert track.smooth(SAD, 0, 33_000) == SAD


def test_after_the_time_constant_an_old_score_weighs_1_over_e_at_any_rate() -> None:
    for frames in (1, 3, 30):
        track = Track(1, face(0.5), 0)
        track.smooth(HAPPY, 0.3, 0)
        for _ in range(frames):
            smoothed = track.smooth(SAD, 0.3, round(300_000 / frames))
        assert smoothed[1] == pytest.approx(1 / math.e, abs=1e-4)


def test_smoothed_scores_come_to_the_raw_ones() -> None:
    track = Track(1, face(0.5), 0)
    track.smooth(HAPPY, 0.3, 0)
    for _ in range(100):
        smoothed = track.smooth(SAD, 0.3, 33_000)
    assert smoothed == pytest.approx(SAD, abs=1e-4)


WEIGHTS = st.lists(st.floats(0.001, 1), min_size=8, max_size=8).map(
    lambda w: [value / sum(w) for value in w]
)


@given(
    st.lists(st.tuples(WEIGHTS, st.integers(0, 2**64)), min_size=1, max_size=20),
    st.floats(0, 10),
)
def test_smoothed_scores_still_sum_to_1(
    samples: list[tuple[list[float], int]], seconds: float
) -> None:
    track = Track(1, face(0.5), 0)
    for raw, elapsed_us in samples:
        smoothed = track.smooth(raw, seconds, elapsed_us)
        assert sum(smoothed) == pytest.approx(1)
        assert all(-1e-9 <= value <= 1 + 1e-9 for value in smoothed)
