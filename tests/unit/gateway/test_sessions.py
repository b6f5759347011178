"""A session owes exactly one reply for each frame, in order, whatever comes."""

import tracemalloc
from dataclasses import dataclass, field

import pytest
from emotion.v1 import emotion_pb2
from emotion_gateway.analysis import Failure, Job
from emotion_gateway.sessions import Session
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.gateway.pictures import analysis, request

MAX_IMAGE_BYTES = 100
FACE = (0.25, 0.25, 0.5, 0.5)
GOOD = ["valid", "valid", "valid", "valid with options"]
REFUSED = {
    "duplicate": emotion_pb2.FRAME_ERROR_CODE_INVALID_FRAME_ID,
    "backwards": emotion_pb2.FRAME_ERROR_CODE_INVALID_FRAME_ID,
    "zero": emotion_pb2.FRAME_ERROR_CODE_INVALID_FRAME_ID,
    "empty image": emotion_pb2.FRAME_ERROR_CODE_EMPTY_IMAGE,
    "too large": emotion_pb2.FRAME_ERROR_CODE_TOO_MANY_BYTES,
    "malformed": emotion_pb2.FRAME_ERROR_CODE_MALFORMED_MESSAGE,
    "bad options": emotion_pb2.FRAME_ERROR_CODE_INVALID_OPTIONS,
    "bad options alone": emotion_pb2.FRAME_ERROR_CODE_INVALID_OPTIONS,
}
UNANSWERED = ["options alone", "nothing"]
EVENTS = st.sampled_from([*GOOD, *REFUSED, *UNANSWERED, "take", "complete", "fail", "pop"])


def options(max_faces: int) -> emotion_pb2.RecognizeOptions:
    return emotion_pb2.RecognizeOptions(max_faces=max_faces)


@dataclass
class Client:
    """Sends to a session and keeps what it is owed: (frame_id, capture time, error or None)."""

    session: Session
    owed: list[tuple[int, int, int | None]] = field(default_factory=list)
    replies: list[emotion_pb2.StreamRecognizeResponse] = field(default_factory=list)
    last_id: int = 0
    max_faces: int = 20
    newest: tuple[bytes, int] | None = None
    taken_ids: list[int] = field(default_factory=list)
    failed_ids: list[int] = field(default_factory=list)
    job: Job | None = None
    time_us: int = 0

    def send(self, kind: str) -> None:
        self.time_us += 1000
        time_us = self.time_us
        new_id = self.last_id + 3
        image = b"%d" % new_id
        if kind == "malformed":
            data, frame_id, time_us = b"\xff\xff\xff", 0, 0
        elif kind in ("nothing", "options alone", "bad options alone"):
            frame_id = time_us = 0
            given = {"nothing": None, "options alone": options(7), "bad options alone": options(0)}
            data = request(options=given[kind])
            if kind == "options alone":
                self.max_faces = 7
        else:
            frame_id = {"duplicate": self.last_id, "backwards": max(0, self.last_id - 1)}.get(
                kind, 0 if kind == "zero" else new_id
            )
            image = {"empty image": b"", "too large": b"x" * (MAX_IMAGE_BYTES + 1)}.get(kind, image)
            chosen = None
            if kind == "valid with options":
                self.max_faces = 1 + new_id % 100
                chosen = options(self.max_faces)
            elif kind == "bad options":
                chosen = options(101)
            data = request(frame_id, image, time_us, chosen)
            self.last_id = max(self.last_id, frame_id)
        self.session.receive(data, now_us=time_us)
        if kind not in UNANSWERED:
            self.owed.append((frame_id, time_us, REFUSED.get(kind)))
        if kind in GOOD:
            self.newest = image, self.max_faces

    def take(self) -> None:
        job = self.session.take()
        if self.job is not None or self.newest is None:
            assert job is None, "one frame at a time, and each once"
            return
        assert job is not None
        assert (job.image, job.max_faces) == self.newest, "the newest frame, with its options"
        self.newest, self.job = None, job
        self.taken_ids.append(int(job.image))

    def complete(self, *, fail: bool = False) -> None:
        if self.job is None:
            return
        job, self.job = self.job, None
        if fail:
            self.failed_ids.append(int(job.image))
            failure = Failure(emotion_pb2.FRAME_ERROR_CODE_DETECTOR_UNAVAILABLE, "away")
            self.session.complete(job, failure, self.time_us)
        else:
            self.session.complete(job, analysis(FACE), self.time_us)

    def do(self, event: str) -> None:
        if event == "take":
            self.take()
        elif event in ("complete", "fail"):
            self.complete(fail=event == "fail")
        elif event == "pop":
            self.replies += self.session.pop_replies()
        else:
            self.send(event)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, max_size=60))
def test_every_frame_gets_exactly_one_reply_in_order(events: list[str]) -> None:
    client = Client(Session(MAX_IMAGE_BYTES))
    for event in events:
        client.do(event)
        assert client.session.backlog == len(client.owed) - len(client.replies)
    for _ in range(2):
        client.complete()
        client.take()
    client.complete()
    client.do("pop")

    assert client.session.backlog == 0
    replies = client.replies
    assert [(r.frame_id, r.capture_time_us) for r in replies] == [
        (frame_id, time_us) for frame_id, time_us, _ in client.owed
    ]
    for reply, (frame_id, _, error) in zip(replies, client.owed, strict=True):
        if error is not None:
            expected = "error", error
        elif frame_id in client.failed_ids:
            expected = "error", emotion_pb2.FRAME_ERROR_CODE_DETECTOR_UNAVAILABLE
        elif frame_id in client.taken_ids:
            expected = "recognition", 0
        else:
            expected = "dropped", 0
        assert (reply.WhichOneof("outcome"), reply.error.code) == expected
        assert reply.HasField("timings") == (expected[0] == "recognition")
        assert bool(reply.error.message) == (expected[0] == "error")


def test_dropped_frames_let_go_of_their_bytes() -> None:
    session = Session(max_image_bytes=1 << 20)
    session.receive(request(1, b"first"), 0)
    assert session.take() is not None
    tracemalloc.start()
    try:
        for frame_id in range(2, 102):
            session.receive(request(frame_id, bytes(200_000)), frame_id)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert session.backlog == 101
    assert held < 5 * 200_000


def test_an_abandoned_session_gives_no_more_work_and_bears_the_end_of_what_is_in_work() -> None:
    session = Session(MAX_IMAGE_BYTES)
    session.receive(request(1, b"one"), 0)
    job = session.take()
    assert job is not None
    session.receive(request(2, b"two"), 0)
    session.abandon()
    session.complete(job, analysis(FACE), 1)
    assert session.take() is None


def test_a_track_lasts_over_frames_that_fail() -> None:
    session = Session(MAX_IMAGE_BYTES)
    ids = []
    for frame_id in range(1, 10):
        session.receive(request(frame_id, b"x", frame_id * 33_000), 0)
        job = session.take()
        assert job is not None
        if frame_id % 3 == 0:
            session.complete(job, Failure(emotion_pb2.FRAME_ERROR_CODE_INTERNAL, "fault"), 0)
        else:
            session.complete(job, analysis(FACE), 0)
        [reply] = session.pop_replies()
        ids += [face.track_id for face in reply.recognition.faces]
    assert ids == [1] * 6


@pytest.mark.parametrize("capture_time_us", [1, 2**63, 2**64 - 1])
def test_any_capture_time_is_echoed_and_harmless(capture_time_us: int) -> None:
    session = Session(MAX_IMAGE_BYTES)
    for frame_id, time_us in enumerate([capture_time_us, 5, capture_time_us, 0], start=1):
        session.receive(request(frame_id, b"x", time_us), 1000)
        job = session.take()
        assert job is not None
        session.complete(job, analysis(FACE), 2000)
        [reply] = session.pop_replies()
        assert reply.capture_time_us == time_us
        assert [face.track_id for face in reply.recognition.faces] == [1]
        assert reply.timings.total_us == 1000


def test_options_refused_leave_the_options_as_they_were() -> None:
    session = Session(MAX_IMAGE_BYTES)
    session.receive(request(options=options(5)), 0)
    session.receive(request(options=options(0)), 0)
    session.receive(request(1, b"x"), 0)
    job = session.take()
    assert job is not None
    assert job.max_faces == 5
    [refusal] = session.pop_replies()
    assert refusal.frame_id == 0
    assert "options.max_faces is 0; expected 1 to 100" in refusal.error.message


@pytest.mark.parametrize(("frames_each_turn", "turns_between_searches"), [(1, 3), (2, 4)])
def test_a_stream_whose_frames_are_dropped_is_searched_less_often(
    frames_each_turn: int, turns_between_searches: int
) -> None:
    session = Session(MAX_IMAGE_BYTES, search_interval_us=150_000)
    everywhere = []
    frame_id = 0
    for turn in range(13):
        now_us = 1_000_000 + turn * 50_000
        for _ in range(frames_each_turn):
            frame_id += 1
            session.receive(request(frame_id, b"x"), now_us)
        job = session.take()
        assert job is not None
        everywhere.append(job.expected is None)
        session.complete(job, analysis(FACE), now_us)
        assert len(session.pop_replies()) == frames_each_turn
    between = turns_between_searches
    assert everywhere[between:] == [k % between == 0 for k in range(between, 13)]


@pytest.mark.parametrize("landmarks", [True, False])
def test_landmarks_come_unless_they_are_not_wanted(landmarks: bool) -> None:
    session = Session(MAX_IMAGE_BYTES)
    wanted = emotion_pb2.RecognizeOptions(landmarks=landmarks)
    session.receive(request(1, b"x", options=wanted), 0)
    job = session.take()
    assert job is not None
    session.complete(job, analysis(FACE), 0)
    [reply] = session.pop_replies()
    assert len(reply.recognition.faces[0].landmarks) == (5 if landmarks else 0)
