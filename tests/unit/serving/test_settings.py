"""Settings from flags and the environment, and what is said of wrong ones."""

import pytest
from emotion_serving import GrpcSettings, load_settings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class OvenSettings(GrpcSettings):
    """Bakes."""

    model_config = SettingsConfigDict(env_prefix="OVEN_")

    degrees: int = Field(180, ge=50, le=300, description="how hot")
    fan: bool = Field(False, description="whether air moves")


def load(*argv: str) -> OvenSettings:
    return load_settings(OvenSettings, argv, prog="oven")


def test_defaults_need_no_flags() -> None:
    assert load().degrees == 180
    assert load().host == "127.0.0.1"


def test_a_flag_sets_a_value() -> None:
    settings = load("--degrees", "200", "--port=1234", "--fan", "--max-message-bytes", "70000")
    assert (settings.degrees, settings.port, settings.fan) == (200, 1234, True)
    assert settings.max_message_bytes == 70_000


def test_the_environment_sets_a_value_and_a_flag_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVEN_DEGREES", "210")
    assert load().degrees == 210
    assert load("--degrees", "220").degrees == 220


def test_another_services_environment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEGREES", "210")
    monkeypatch.setenv("KILN_DEGREES", "210")
    assert load().degrees == 180


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--degrees", "9"], "oven: --degrees (or OVEN_DEGREES) is '9': "),
        (["--degrees", "hot"], "oven: --degrees (or OVEN_DEGREES) is 'hot': "),
        (["--log-level", "loud"], "oven: --log-level (or OVEN_LOG_LEVEL) is 'loud': "),
        (["--port", "-1"], "oven: --port (or OVEN_PORT) is '-1': "),
        (["--drain-seconds", "nan"], "oven: --drain-seconds (or OVEN_DRAIN_SECONDS) is 'nan': "),
        (["--colour", "red"], "--colour"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected_and_exit_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        load(*argv)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_wrong_value_of_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OVEN_PORT", "99999")
    with pytest.raises(SystemExit) as ended:
        load()
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert "OVEN_PORT" in printed
    assert "65535" in printed


def test_two_wrong_values_are_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load("--degrees", "9", "--port", "99999")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ")[1] for line in lines] == ["--port", "--degrees"]


def test_help_tells_every_flag_and_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load("--help")
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for text in ("--degrees", "how hot", "--drain-seconds", "--log-level", "Bakes"):
        assert text in printed
