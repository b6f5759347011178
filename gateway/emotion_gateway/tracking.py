"""Follows faces from picture to picture, so that each keeps its number and its scores are calm.

Pure: boxes and times in, tracks out. Written without NumPy because a picture has few faces,
for which plain floats are several times faster than small arrays.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""x, y, width, height in fractions of the picture."""

FORGET_AFTER_US = 1_500_000
"""A face unseen for this long is gone; seen again, it is a new track."""

MAX_TRACKS = 100
"""Faces followed at once, as many as a picture may give; those unseen for longest go first."""

_MAX_SPEED = 3.0
_VELOCITY_SHARE = 0.5
_MAX_AHEAD_SECONDS = 0.3


@dataclass(slots=True)
class Track:
    """One followed face.

    ``velocity_x`` and ``velocity_y`` are in fractions of the picture a second; ``scores`` are
    the eight smoothed scores in FER+ order, None before the first classification.
    """

    track_id: int
    box: Box
    seen_at_us: int
    velocity_x: float = 0.0
    velocity_y: float = 0.0
    scores: list[float] | None = None

    def ahead(self, time_us: int) -> Box:
        """The box moved on to where the face's velocity would have brought it."""
        seconds = min(max(0, time_us - self.seen_at_us) / 1e6, _MAX_AHEAD_SECONDS)
        x, y, width, height = self.box
        return (x + self.velocity_x * seconds, y + self.velocity_y * seconds, width, height)

    def smooth(self, raw: Sequence[float], seconds: float, elapsed_us: int) -> list[float]:
        """Blends new scores into the track's and returns the result.

        An exponential moving average for samples at uneven times: after ``seconds`` an old
        value weighs 1/e. With ``seconds`` 0 the new scores are taken as they are.
        """
        if self.scores is None or seconds <= 0:
            self.scores = list(raw)
        else:
            share = -math.expm1(-elapsed_us / 1e6 / seconds)
            self.scores = [
                old + share * (new - old) for old, new in zip(self.scores, raw, strict=True)
            ]
        return self.scores


@dataclass(slots=True, frozen=True)
class Seen:
    """A track as it stands in one picture; ``elapsed_us`` since it was last seen, 0 if new."""

    track: Track
    elapsed_us: int


class Tracker:
    """The faces of one camera.

    Args:
        tracks: faces followed before, to go on with.
        next_track_id: the number that the next new face gets, at least 1.
    """

    def __init__(self, tracks: Iterable[Track] = (), next_track_id: int = 1) -> None:
        self.tracks = list(tracks)
        self.next_track_id = max(1, next_track_id)
        self.current: list[Track] = []
        """The tracks of the last picture's boxes, in their order."""

    def update(self, boxes: Sequence[Box], time_us: int) -> list[Seen]:
        """Gives each box of a picture its track, in the order of the boxes.

        Each track is moved on to where its velocity would have brought it by now; then the
        nearest pairs of track and box are joined first. Distance is measured in mean face
        sizes, so it means the same for near and far faces; pairs too far apart or too
        different in size stay unjoined. Boxes left over become new tracks.

        ``time_us`` is when the picture was taken; earlier than the last one counts as equal.
        """
        self.tracks = [t for t in self.tracks if time_us - t.seen_at_us <= FORGET_AFTER_US]
        pairs = []
        for i, track in enumerate(self.tracks):
            elapsed = max(0, time_us - track.seen_at_us) / 1e6
            ahead = track.ahead(time_us)
            for j, box in enumerate(boxes):
                distance = _distance(track, ahead, elapsed, box)
                if distance is not None:
                    pairs.append((distance, i, j))
        pairs.sort()
        track_of_box: dict[int, Track] = {}
        joined: set[int] = set()
        for _, i, j in pairs:
            if i not in joined and j not in track_of_box:
                joined.add(i)
                track_of_box[j] = self.tracks[i]
        seen = [self._see(track_of_box.get(j), box, time_us) for j, box in enumerate(boxes)]
        if len(self.tracks) > MAX_TRACKS:
            current = {s.track.track_id for s in seen}
            self.tracks.sort(key=lambda t: (t.track_id in current, t.seen_at_us))
            del self.tracks[:-MAX_TRACKS]
        self.current = [s.track for s in seen]
        return seen

    def _see(self, track: Track | None, box: Box, time_us: int) -> Seen:
        if track is None:
            track = Track(self.next_track_id, box, time_us)
            self.next_track_id += 1
            self.tracks.append(track)
            return Seen(track, 0)
        elapsed_us = max(0, time_us - track.seen_at_us)
        if elapsed_us > 0:
            old_x, old_y = _centre(track.box)
            new_x, new_y = _centre(box)
            seconds = elapsed_us / 1e6
            track.velocity_x += _VELOCITY_SHARE * (
                _clamp((new_x - old_x) / seconds) - track.velocity_x
            )
            track.velocity_y += _VELOCITY_SHARE * (
                _clamp((new_y - old_y) / seconds) - track.velocity_y
            )
            track.seen_at_us = time_us
        track.box = box
        return Seen(track, elapsed_us)


def _distance(track: Track, ahead: Box, elapsed: float, box: Box) -> float | None:
    """Distance of a track, moved on to ``ahead``, and a box in mean face sizes; None if they
    cannot be one."""
    track_size = math.sqrt(track.box[2] * track.box[3])
    box_size = math.sqrt(box[2] * box[3])
    if not 0.5 < (track_size + 1e-9) / (box_size + 1e-9) < 2.0:
        return None
    x, y = _centre(ahead)
    to_x, to_y = _centre(box)
    away = math.hypot(x - to_x, y - to_y)
    distance = away / ((track_size + box_size) / 2 + 1e-9)
    return distance if distance <= 0.7 + min(elapsed, 1.0) else None


def _centre(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _clamp(speed: float) -> float:
    return max(-_MAX_SPEED, min(_MAX_SPEED, speed))
