"""Reads TensorFlow Serving's model_config_file."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from emotion.tfserving import serving_pb2
from google.protobuf import text_format

from emotion_classifier.versions import All, Latest, Specific, VersionPolicy

_ROOT = PurePosixPath("/models")


class ConfigError(Exception):
    """The configuration cannot be served; the message names the file and what to change."""


@dataclass(frozen=True)
class ServedModel:
    """One entry of the configuration.

    Attributes:
        name: what clients call it.
        folder: holds one folder a version.
        policy: which versions to load.
        labels: version number by label.
    """

    name: str
    folder: Path
    policy: VersionPolicy
    labels: dict[str, int]


def read_config(file: Path, models_root: Path) -> list[ServedModel]:
    """Reads a ModelServerConfig in text format, skipping fields that only TensorFlow Serving has.

    Args:
        file: the configuration.
        models_root: takes the place of a leading ``/models`` in each ``base_path``.

    Raises:
        ConfigError: unreadable file, wrong syntax, no model, or an entry that is incomplete,
            repeated or not a TensorFlow model.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read model config file {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"model config file {file} is not text: {error.reason}") from error
    message = serving_pb2.ModelServerConfig()
    try:
        text_format.Parse(text, message, allow_unknown_field=True)
    except text_format.ParseError as error:
        raise ConfigError(f"{file} is not a ModelServerConfig in text format: {error}") from error
    models = [_served_model(entry, file, models_root) for entry in message.model_config_list.config]
    if not models:
        raise ConfigError(
            f"{file} names no model; expected model_config_list {{ config {{ ... }} }}"
        )
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{file}: model {name!r} is configured {names.count(name)} times")
    return models


def _served_model(entry: serving_pb2.ModelConfig, file: Path, models_root: Path) -> ServedModel:
    if not entry.name:
        raise ConfigError(f"{file}: a model has no name")
    base_path = PurePosixPath(entry.base_path)
    if not base_path.is_absolute():
        raise ConfigError(
            f"{file}: base_path of model {entry.name!r} is {entry.base_path!r}; "
            "expected an absolute path such as /models/emotion"
        )
    if entry.model_platform != "tensorflow":
        raise ConfigError(
            f"{file}: model_platform of model {entry.name!r} is {entry.model_platform!r}; "
            "expected 'tensorflow'"
        )
    folder = Path(base_path)
    if base_path.is_relative_to(_ROOT):
        folder = models_root / base_path.relative_to(_ROOT)
    policy = _policy(entry, file)
    return ServedModel(entry.name, folder, policy, dict(entry.version_labels))


def _policy(entry: serving_pb2.ModelConfig, file: Path) -> VersionPolicy:
    policy = entry.model_version_policy
    match policy.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            if not policy.specific.versions:
                raise ConfigError(
                    f"{file}: the specific version policy of model {entry.name!r} lists no versions"
                )
            return Specific(frozenset(policy.specific.versions))
        case _:
            return Latest(policy.latest.num_versions or 1)
