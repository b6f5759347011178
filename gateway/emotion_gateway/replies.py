"""Makes replies: the one place where an analysis becomes a message."""

import math

from emotion.v1 import emotion_pb2

from emotion_gateway.analysis import Analysis, Job
from emotion_gateway.options import Options
from emotion_gateway.tracking import MAX_TRACKS, Seen, Track, Tracker


def recognition(
    analysis: Analysis, options: Options, tracker: Tracker | None, time_us: int
) -> emotion_pb2.Recognition:
    """The faces of one picture, followed by ``tracker`` (None: every face has track_id 0).

    ``time_us`` is when the picture was taken, on the clock that ``tracker`` is used with.
    """
    faces = analysis.faces
    boxes = [(face.x, face.y, face.width, face.height) for face in faces.faces]
    if tracker is None:
        seen = [Seen(Track(0, box, time_us), 0) for box in boxes]
    else:
        seen = tracker.update(boxes, time_us)
    known = analysis.probabilities is not None
    raw = analysis.probabilities.tolist() if analysis.probabilities is not None else []
    message = emotion_pb2.Recognition(
        image_width=faces.image_width,
        image_height=faces.image_height,
        classifier_state=(
            emotion_pb2.CLASSIFIER_STATE_OK if known else emotion_pb2.CLASSIFIER_STATE_UNAVAILABLE
        ),
    )
    for i, (found, (track, elapsed_us)) in enumerate(
        zip(faces.faces, ((s.track, s.elapsed_us) for s in seen), strict=True)
    ):
        face = message.faces.add(
            track_id=track.track_id,
            box=emotion_pb2.Box(x=found.x, y=found.y, width=found.width, height=found.height),
            detection_score=found.score,
        )
        if options.landmarks:
            points = found.landmarks
            for x, y in zip(points[::2], points[1::2], strict=True):
                face.landmarks.add(x=x, y=y)
        if known:
            smoothed = track.smooth(raw[i], options.smoothing_seconds, elapsed_us)
            face.expression = _most_likely(smoothed)
            face.scores.CopyFrom(_scores(smoothed))
            face.raw_scores.CopyFrom(_scores(raw[i]))
    return message


def timings(job: Job, analysis: Analysis, now_us: int) -> emotion_pb2.Timings:
    """Where the time of a job went, in microseconds."""
    return emotion_pb2.Timings(
        wait_us=_duration(job.started_us - job.arrived_us),
        decode_us=analysis.decode_us,
        detect_us=analysis.detect_us,
        classify_us=analysis.classify_us,
        total_us=_duration(now_us - job.arrived_us),
    )


def tracking_state(tracker: Tracker) -> emotion_pb2.TrackingState:
    """The tracker's state as a message that travels with the caller."""
    return emotion_pb2.TrackingState(
        next_track_id=tracker.next_track_id,
        tracks=[
            emotion_pb2.Track(
                track_id=track.track_id,
                box=emotion_pb2.Box(
                    x=track.box[0], y=track.box[1], width=track.box[2], height=track.box[3]
                ),
                velocity=emotion_pb2.Point(x=track.velocity_x, y=track.velocity_y),
                seen_at_us=track.seen_at_us,
                scores=_scores(track.scores) if track.scores is not None else None,
            )
            for track in tracker.tracks
        ],
    )


def tracker_from(state: emotion_pb2.TrackingState) -> Tracker:
    """The tracker that ``tracking_state`` described.

    Raises:
        ValueError: it has more tracks or other numbers than a tracker can have reached.
    """
    if len(state.tracks) > MAX_TRACKS:
        raise ValueError(
            f"tracking_state has {len(state.tracks)} tracks; at most {MAX_TRACKS} are taken"
        )
    changed = ValueError("tracking_state was changed: send it back as it was received")
    # Far from where counting on would leave the 64 bits.
    if state.next_track_id >= 2**63:
        raise changed
    tracks = []
    for track in state.tracks:
        box = (track.box.x, track.box.y, track.box.width, track.box.height)
        scores = _score_list(track.scores) if track.HasField("scores") else None
        numbers = (*box, track.velocity.x, track.velocity.y, *(scores or ()))
        if not all(math.isfinite(n) and -10 <= n <= 10 for n in numbers) or min(box[2:]) < 0:
            raise changed
        if not 1 <= track.track_id < state.next_track_id:
            raise changed
        tracks.append(
            Track(track.track_id, box, track.seen_at_us, track.velocity.x, track.velocity.y, scores)
        )
    if len({track.track_id for track in tracks}) != len(tracks):
        raise changed
    return Tracker(tracks, state.next_track_id)


def _duration(us: int) -> int:
    return min(max(us, 0), 2**32 - 1)


def _most_likely(scores: list[float]) -> emotion_pb2.Expression.ValueType:
    return emotion_pb2.Expression.ValueType(1 + scores.index(max(scores)))


def _scores(values: list[float]) -> emotion_pb2.ExpressionScores:
    neutral, happiness, surprise, sadness, anger, disgust, fear, contempt = values
    return emotion_pb2.ExpressionScores(
        neutral=neutral,
        happiness=happiness,
        surprise=surprise,
        sadness=sadness,
        anger=anger,
        disgust=disgust,
        fear=fear,
        contempt=contempt,
    )


def _score_list(scores: emotion_pb2.ExpressionScores) -> list[float]:
    return [
        scores.neutral,
        scores.happiness,
        scores.surprise,
        scores.sadness,
        scores.anger,
        scores.disgust,
        scores.fear,
        scores.contempt,
    ]
