"""New faces are looked for several times a second; between, only known ones."""

from dataclasses import dataclass, field

import pytest
from emotion_gateway.search import Search
from emotion_gateway.tracking import Box, Tracker

HERE: Box = (0.2, 0.2, 0.1, 0.15)
THERE: Box = (0.7, 0.6, 0.1, 0.15)
FRAME_US = 66_667
INTERVAL_US = 150_000


@dataclass
class Camera:
    """Frames of a scene at a rate; notes how each was searched and what was found."""

    search: Search = field(default_factory=lambda: Search(INTERVAL_US))
    tracker: Tracker = field(default_factory=Tracker)
    now_us: int = 1_000_000
    taken_us: int = 1_000_000
    overloaded: bool = False
    ways: list[tuple[Box, ...] | None] = field(default_factory=list)

    def frame(self, *scene: Box, later_us: int = FRAME_US, clock_us: int | None = None) -> int:
        """One frame that shows the faces of ``scene``; how many were found."""
        self.now_us += later_us
        self.taken_us += later_us if clock_us is None else clock_us
        way = self.search.expected(self.tracker, self.taken_us, self.now_us)
        self.ways.append(way)
        if self.overloaded:
            self.search.dropped()
        found = [face for face in scene if way is None or any(near(face, known) for known in way)]
        self.tracker.update(found, self.taken_us)
        self.search.learn(self.tracker, self.taken_us, self.now_us)
        return len(found)


def near(face: Box, known: Box) -> bool:
    return abs(face[0] - known[0]) < 0.05 and abs(face[1] - known[1]) < 0.05


def test_the_first_frame_is_searched_everywhere() -> None:
    camera = Camera()
    assert camera.frame(HERE) == 1
    assert camera.ways == [None]


def test_between_searches_only_known_faces_are_looked_at() -> None:
    camera = Camera()
    for _ in range(9):
        assert camera.frame(HERE) == 1
    everywhere = [way is None for way in camera.ways]
    assert everywhere == [True, False, False] * 3
    assert all(way is None or near(way[0], HERE) for way in camera.ways)


def test_an_empty_scene_is_searched_as_often() -> None:
    camera = Camera()
    for _ in range(6):
        camera.frame()
    assert camera.ways == [None, (), ()] * 2


@pytest.mark.parametrize("overloaded", [False, True])
@pytest.mark.parametrize("frames_per_second", [2, 5, 10, 15, 19, 23, 24, 26, 30, 60])
def test_a_new_face_is_found_within_200_ms(frames_per_second: int, overloaded: bool) -> None:
    frame_us = 1_000_000 // frames_per_second
    for already in range(8):
        camera = Camera(overloaded=overloaded)
        for _ in range(already):
            camera.frame(HERE, later_us=frame_us)
        waited = 0
        while camera.frame(HERE, THERE, later_us=frame_us) < 2:
            waited += frame_us
        assert waited <= 200_000


def test_where_frames_are_dropped_it_looks_everywhere_a_quarter_less_often() -> None:
    usual, overloaded = Camera(), Camera(overloaded=True)
    for camera in (usual, overloaded):
        for _ in range(60):
            camera.frame(HERE, later_us=50_000)
        assert camera.ways[0] is None
    assert sum(way is None for way in usual.ways) == 20
    assert sum(way is None for way in overloaded.ways) == 15


def test_after_an_overload_it_looks_as_often_as_before() -> None:
    camera = Camera()
    camera.frame(HERE)
    camera.search.dropped()
    for _ in range(9):
        camera.frame(HERE, later_us=50_000)
    everywhere = [way is None for way in camera.ways]
    assert everywhere == [True, *[False] * 3, True, *[False] * 2, True, *[False] * 2]


def test_a_face_that_is_lost_is_looked_for_everywhere_in_the_next_frame() -> None:
    camera = Camera()
    camera.frame(HERE)
    assert camera.frame(THERE) == 0
    assert camera.frame(THERE) == 1
    assert camera.ways[2] is None


def test_a_face_that_is_gone_is_not_looked_for_in_every_frame() -> None:
    camera = Camera()
    camera.frame(HERE)
    for _ in range(12):
        camera.frame()
    everywhere = [way is None for way in camera.ways]
    # Once because it was lost, then at the usual rate.
    assert sum(everywhere) <= 2 + 12 // 3


def test_a_clients_clock_that_stands_still_hides_no_new_face() -> None:
    camera = Camera()
    for _ in range(3):
        camera.frame(HERE, clock_us=0)
    assert [camera.frame(HERE, THERE, clock_us=0) for _ in range(3)][-1] == 2


def test_a_video_that_is_analysed_fast_is_searched_by_its_own_time() -> None:
    camera = Camera()
    for _ in range(9):
        camera.frame(HERE, later_us=5_000, clock_us=FRAME_US)
    assert [way is None for way in camera.ways] == [True, False, False] * 3


def test_frames_that_failed_do_not_count_as_searched() -> None:
    search, tracker = Search(INTERVAL_US), Tracker()
    assert search.expected(tracker, 1, 1) is None
    assert search.expected(tracker, 2, 2) is None


def test_interval_0_searches_every_frame_everywhere() -> None:
    camera = Camera(search=Search(0))
    for _ in range(5):
        camera.frame(HERE)
    assert camera.ways == [None] * 5
