"""Decides where to look for faces: everywhere, or around those of the frame before.

Looking everywhere is most of what a frame costs, and faces do not jump. So new faces are
looked for several times a second, and whenever one that was there is missing; in the frames
between, the detector looks around the known faces alone.

How often a second is the same however many frames are analysed, so where there are too many, it
would take a larger part of fewer. Then it is done a quarter less often.
"""

from emotion_gateway.tracking import Box, Track, Tracker

_OVERLOADED = 4 / 3  # times the interval


class Search:
    """The way of looking for one camera.

    Args:
        interval_us: a new face is found at most this long after the first analysed frame that
            shows it, a third longer where frames are dropped; 0 looks everywhere in every frame.
    """

    def __init__(self, interval_us: int) -> None:
        self._interval_us = interval_us
        self._searched_us: tuple[int, int] | None = None
        self._expected: list[Track] | None = None
        self._lost = False
        self._overloaded = False

    def dropped(self) -> None:
        """Tells that a frame was dropped because others were before it."""
        self._overloaded = True

    def expected(self, tracker: Tracker, taken_us: int, now_us: int) -> tuple[Box, ...] | None:
        """Where faces are expected in a frame, or None to look everywhere.

        ``taken_us`` is when it was taken, on the tracker's clock; ``now_us`` on the gateway's.
        The interval must be over on neither, so that neither a client's clock that stands
        still nor a video that is analysed faster than it plays hides a new face.
        """
        self._expected = None
        if self._searched_us is None or self._lost:
            return None
        searched_taken_us, searched_now_us = self._searched_us
        since_us = max(taken_us - searched_taken_us, now_us - searched_now_us)
        if since_us >= self._interval_us * (_OVERLOADED if self._overloaded else 1):
            return None
        self._expected = tracker.current
        return tuple(track.ahead(taken_us) for track in self._expected)

    def learn(self, tracker: Tracker, taken_us: int, now_us: int) -> None:
        """Tells that the tracker was updated with what was found there."""
        if self._expected is None:
            self._searched_us = taken_us, now_us
            self._lost = self._overloaded = False
        else:
            current = {track.track_id for track in tracker.current}
            self._lost = any(track.track_id not in current for track in self._expected)
