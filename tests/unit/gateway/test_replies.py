"""Analyses become messages, and the tracking state travels with the caller unharmed."""

import math

import pytest
from emotion.v1 import emotion_pb2
from emotion_gateway.options import Options
from emotion_gateway.replies import recognition, tracker_from, tracking_state
from emotion_gateway.tracking import Tracker
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.gateway.pictures import analysis

FACE = (0.25, 0.25, 0.5, 0.5)
OTHER = (0.75, 0.0, 0.125, 0.125)
TIME_US = 1_000_000


def test_faces_come_with_boxes_labels_and_scores() -> None:
    message = recognition(analysis(FACE, OTHER), Options(), Tracker(), TIME_US)
    assert [(f.track_id, f.box.x, f.box.width) for f in message.faces] == [
        (1, 0.25, 0.5),
        (2, 0.75, 0.125),
    ]
    assert (message.image_width, message.image_height) == (640, 480)
    assert message.classifier_state == emotion_pb2.CLASSIFIER_STATE_OK
    assert message.faces[0].expression == emotion_pb2.EXPRESSION_NEUTRAL
    assert message.faces[0].scores.neutral == 0.5
    assert message.faces[0].raw_scores == message.faces[0].scores


def test_while_the_classifier_is_away_faces_come_unclassified() -> None:
    message = recognition(analysis(FACE, classified=False), Options(), Tracker(), TIME_US)
    assert message.classifier_state == emotion_pb2.CLASSIFIER_STATE_UNAVAILABLE
    [face] = message.faces
    assert face.track_id == 1
    assert face.expression == emotion_pb2.EXPRESSION_UNSPECIFIED
    assert not face.HasField("scores")
    assert not face.HasField("raw_scores")


def test_a_picture_without_faces_is_classified() -> None:
    message = recognition(analysis(), Options(), Tracker(), TIME_US)
    assert list(message.faces) == []
    assert message.classifier_state == emotion_pb2.CLASSIFIER_STATE_OK


def test_without_tracking_faces_have_number_0() -> None:
    message = recognition(analysis(FACE, OTHER), Options(), None, TIME_US)
    assert [face.track_id for face in message.faces] == [0, 0]


def test_the_tracking_state_carries_a_tracker_on_as_if_it_had_stayed() -> None:
    stays, travels = Tracker(), Tracker()
    for i in range(20):
        boxes = [(0.1 + i * 0.02, 0.25, 0.25, 0.25), (0.75 - i * 0.02, 0.5, 0.25, 0.25)]
        time_us = TIME_US + i * 33_000
        here = recognition(analysis(*boxes), Options(), stays, time_us)
        wire = tracking_state(travels).SerializeToString()
        travels = tracker_from(emotion_pb2.TrackingState.FromString(wire))
        there = recognition(analysis(*boxes), Options(), travels, time_us)
        assert [f.track_id for f in here.faces] == [f.track_id for f in there.faces] == [1, 2]
        for a, b in zip(here.faces, there.faces, strict=True):
            assert a.scores.neutral == pytest.approx(b.scores.neutral)


def test_the_state_of_a_crowded_scene_that_changes_all_the_time_is_taken_back() -> None:
    tracker = Tracker()
    for i in range(5):
        crowd = [(j / 100, i / 10, 0.001, 0.001) for j in range(100)]
        recognition(analysis(*crowd), Options(), tracker, TIME_US + i * 33_000)
        tracker = tracker_from(tracking_state(tracker))


def track(**changes: object) -> emotion_pb2.Track:
    fields: dict[str, object] = {
        "track_id": 1,
        "box": emotion_pb2.Box(x=0.25, y=0.25, width=0.5, height=0.5),
        "seen_at_us": TIME_US,
    }
    return emotion_pb2.Track(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "state",
    [
        emotion_pb2.TrackingState(tracks=[track()] * 101, next_track_id=1000),
        emotion_pb2.TrackingState(tracks=[track(box={"x": math.nan})], next_track_id=2),
        emotion_pb2.TrackingState(tracks=[track(box={"y": math.inf})], next_track_id=2),
        emotion_pb2.TrackingState(tracks=[track(box={"width": -0.5})], next_track_id=2),
        emotion_pb2.TrackingState(tracks=[track(velocity={"x": math.nan})], next_track_id=2),
        emotion_pb2.TrackingState(tracks=[track(velocity={"y": 1e30})], next_track_id=2),
        emotion_pb2.TrackingState(tracks=[track(scores={"fear": math.nan})], next_track_id=2),
        emotion_pb2.TrackingState(tracks=[track(scores={"fear": 1e30})], next_track_id=2),
        emotion_pb2.TrackingState(tracks=[track()], next_track_id=2**64 - 1),
        emotion_pb2.TrackingState(tracks=[track()], next_track_id=1),
        emotion_pb2.TrackingState(tracks=[track(track_id=0)], next_track_id=2),
        emotion_pb2.TrackingState(tracks=[track(), track()], next_track_id=2),
        emotion_pb2.TrackingState(next_track_id=2**64 - 1),
    ],
)
def test_a_tracking_state_that_no_tracker_made_is_refused(
    state: emotion_pb2.TrackingState,
) -> None:
    with pytest.raises(ValueError, match="tracking_state"):
        tracker_from(state)


NUMBERS = st.floats(width=32) | st.sampled_from([0.0, 0.25, 1.0])
IDS = st.integers(0, 2**64 - 1) | st.integers(0, 3)
TRACKS = st.builds(
    emotion_pb2.Track,
    track_id=IDS,
    box=st.builds(emotion_pb2.Box, x=NUMBERS, y=NUMBERS, width=NUMBERS, height=NUMBERS),
    velocity=st.builds(emotion_pb2.Point, x=NUMBERS, y=NUMBERS),
    seen_at_us=IDS,
    scores=st.none() | st.builds(emotion_pb2.ExpressionScores, neutral=NUMBERS, fear=NUMBERS),
)


@settings(max_examples=300)
@given(
    state=st.builds(
        emotion_pb2.TrackingState, tracks=st.lists(TRACKS, max_size=4), next_track_id=IDS
    ),
    time_us=IDS,
)
def test_a_hostile_tracking_state_is_refused_or_harmless(
    state: emotion_pb2.TrackingState, time_us: int
) -> None:
    try:
        tracker = tracker_from(state)
    except ValueError:
        return
    message = recognition(analysis(FACE, OTHER), Options(), tracker, time_us)
    ids = [face.track_id for face in message.faces]
    assert len(set(ids)) == 2
    assert min(ids) >= 1
    again = tracker_from(tracking_state(tracker))
    assert recognition(analysis(FACE, OTHER), Options(), again, time_us).faces[0].track_id == ids[0]
