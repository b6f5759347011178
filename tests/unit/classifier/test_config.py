"""models.config is read as TensorFlow Serving reads it; mistakes are named."""

from collections.abc import Callable
from pathlib import Path

import pytest
from emotion_classifier.config import ConfigError, read_config
from emotion_classifier.settings import ClassifierSettings
from emotion_classifier.versions import All, Latest, Specific, VersionPolicy
from running import SHIPPED_VERSION


def test_the_shipped_config_serves_the_shipped_models() -> None:
    settings = ClassifierSettings()
    (model,) = read_config(settings.model_config_file, settings.models_root)
    assert model.name == "emotion"
    assert model.labels == {"stable": SHIPPED_VERSION}
    assert (model.folder / str(SHIPPED_VERSION) / "model.tflite").is_file()
    assert (model.folder / str(SHIPPED_VERSION) / "saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", Latest(1)),
        ("model_version_policy { latest { } }", Latest(1)),
        ("model_version_policy { latest { num_versions: 3 } }", Latest(3)),
        ("model_version_policy { all { } }", All()),
        (
            "model_version_policy { specific { versions: 2 versions: 5 } }",
            Specific(frozenset({2, 5})),
        ),
    ],
)
def test_policies(write_config: Callable[..., Path], text: str, policy: VersionPolicy) -> None:
    (model,) = read_config(write_config(text), Path("/somewhere"))
    assert model.policy == policy


def test_the_models_root_takes_the_place_of_models(write_config: Callable[..., Path]) -> None:
    (model,) = read_config(write_config(), Path("/srv/m"))
    assert model.folder == Path("/srv/m/emotion")
    (model,) = read_config(write_config(base_path="/modelsets/e"), Path("/srv/m"))
    assert model.folder == Path("/modelsets/e")


def test_fields_of_tensorflow_serving_alone_are_skipped(write_config: Callable[..., Path]) -> None:
    extra = 'logging_config { sampling_config { sampling_rate: 0.5 } } some_new_field: "x"'
    (model,) = read_config(write_config(extra), Path("/models"))
    assert model.name == "emotion"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list {", "is not a ModelServerConfig in text format"),
        ("", "names no model"),
        ("model_config_list { config { base_path: '/m' } }", "a model has no name"),
        ("model_config_list { config { name: 'm' base_path: 'm' } }", "base_path of model 'm'"),
        (
            "model_config_list { config { name: 'm' base_path: '/m' model_platform: 'x' } }",
            "model_platform of model 'm' is 'x'; expected 'tensorflow'",
        ),
        (
            "model_config_list { config { name: 'm' base_path: '/m' model_platform: 'tensorflow' "
            "model_version_policy { specific { } } } }",
            "lists no versions",
        ),
        (
            "model_config_list {"
            + "config { name: 'm' base_path: '/m' model_platform: 'tensorflow' }" * 2
            + "}",
            "model 'm' is configured 2 times",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "models.config"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_config(file, tmp_path)
    assert str(file) in str(caught.value)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.config: No such file"):
        read_config(tmp_path / "none.config", tmp_path)
    binary = tmp_path / "binary.config"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not text"):
        read_config(binary, tmp_path)
