import pytest
from emotion.v1 import emotion_pb2

from benchmarks.frames import PER_SECOND, Frame
from benchmarks.session import Session

Request, Response = emotion_pb2.StreamRecognizeRequest, emotion_pb2.StreamRecognizeResponse
CLIP = [Frame(b"first", 1), Frame(b"second", 2)]


def found(state: emotion_pb2.ClassifierState.ValueType) -> emotion_pb2.Recognition:
    return emotion_pb2.Recognition(faces=[emotion_pb2.Face()], classifier_state=state)


def answer(parts: tuple[bytes, ...], **outcome: object) -> bytes:
    outcome = outcome or {"recognition": found(emotion_pb2.CLASSIFIER_STATE_OK)}
    frame_id = Request.FromString(b"".join(parts)).frame.frame_id
    timings = emotion_pb2.Timings(wait_us=1, decode_us=2, detect_us=3, classify_us=4, total_us=5)
    return Response(frame_id=frame_id, timings=timings, **outcome).SerializeToString()


def test_without_a_pace_the_next_frame_goes_when_one_is_answered() -> None:
    session = Session(CLIP, 1, max_faces=7)
    assert session.wants_to_send
    first = Request.FromString(b"".join(session.take(1.0)))
    assert (first.frame.image, first.options.max_faces) == (b"second", 7)
    assert not session.wants_to_send
    session.receive(answer((first.SerializeToString(),)), 1.5)
    second = Request.FromString(b"".join(session.take(1.5)))
    assert second.frame.image == b"first"
    assert second.frame.frame_id > first.frame.frame_id
    assert not second.HasField("options")
    done, open_ = session.samples
    assert (done.outcome, done.due, done.replied, done.faces) == ("recognition", 1.0, 1.5, 1)
    assert done.stages_us == (1, 2, 3, 4, 5)
    assert open_.outcome == "unanswered"
    assert session.outstanding == 1


def test_at_a_pace_frames_are_due_whether_the_last_was_answered_or_not() -> None:
    session = Session(CLIP, 0, frames_per_second=10, begin=5.0)
    session.tick(4.9)
    assert not session.wants_to_send
    for now in (5.0, 5.11):
        session.tick(now)
        session.take(now)
    assert session.outstanding == 2
    assert [sample.due for sample in session.samples] == pytest.approx([5.0, 5.1])
    assert session.next_due == pytest.approx(5.2)


@pytest.mark.parametrize("frames_per_second", [PER_SECOND / 2, PER_SECOND * 3])
def test_the_clip_plays_at_its_own_pace(frames_per_second: float) -> None:
    clip = [Frame(bytes([k]), 0) for k in range(10)]
    session = Session(clip, 3, frames_per_second=frames_per_second, begin=1.001)
    shown = []
    for k in range(18):
        session.tick(1.001 + (k + 0.1) / frames_per_second)
        request = Request.FromString(b"".join(session.take(9)))
        shown.append(request.frame.image[0])
    step = PER_SECOND / frames_per_second
    assert shown == [(3 + int(PER_SECOND * 1.001 + step * k)) % 10 for k in range(18)]


def test_latency_counts_from_when_a_frame_was_due_and_late_frames_are_skipped() -> None:
    session = Session(CLIP, 0, frames_per_second=10, begin=5.0)
    session.tick(5.25)
    request = session.take(5.25)
    session.receive(answer(request), 5.3)
    assert [sample.outcome for sample in session.samples] == ["skipped", "skipped", "recognition"]
    assert session.samples[2].due == pytest.approx(5.2)
    assert not session.wants_to_send


def test_drops_and_errors_are_told_apart() -> None:
    session = Session(CLIP, 0)
    session.receive(answer(session.take(0), dropped=emotion_pb2.Dropped()), 1)
    session.receive(answer(session.take(1), error=emotion_pb2.FrameError()), 2)
    away = found(emotion_pb2.CLASSIFIER_STATE_UNAVAILABLE)
    session.receive(answer(session.take(2), recognition=away), 3)
    outcomes = [sample.outcome for sample in session.samples]
    assert outcomes == ["dropped", "error", "unclassified"]


def test_a_reply_for_no_open_frame_is_an_error() -> None:
    session = Session(CLIP, 0)
    request = session.take(0)
    session.receive(answer(request), 1)
    session.receive(answer(request), 2)
    with pytest.raises(ValueError, match="not open"):
        _ = session.samples
