"""Settings of the detector have working defaults and refuse nonsense."""

import os

import pytest
from emotion_detector.settings import DetectorSettings
from emotion_serving import load_settings


def test_defaults_are_those_of_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("EMOTION_DETECTOR_"):
            monkeypatch.delenv(name)
    settings = load_settings(DetectorSettings, [], prog="emotion_detector")
    assert settings.port == 50061
    assert settings.detection_size == 320
    assert settings.max_image_bytes == 4 * 1024 * 1024
    assert settings.max_image_pixels == 40_000_000
    assert settings.max_batch == 64
    assert settings.model.is_file()
    assert settings.workers == len(os.sched_getaffinity(0))


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTION_DETECTOR_THREADS", "3")
    monkeypatch.setenv("EMOTION_DETECTOR_DETECTION_SIZE", "480")
    settings = load_settings(DetectorSettings, ["--threads", "5"], prog="emotion_detector")
    assert (settings.workers, settings.detection_size) == (5, 480)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--threads", "-1"),
        ("--detection-size", "10"),
        ("--max-batch", "0"),
        ("--max-batch", "65"),
        ("--max-image-bytes", "many"),
        ("--max-image-pixels", "0"),
    ],
)
def test_a_value_out_of_range_names_itself_and_ends_with_2(
    flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        load_settings(DetectorSettings, [flag, value], prog="emotion_detector")
    assert caught.value.code == 2
    assert flag in capsys.readouterr().err
