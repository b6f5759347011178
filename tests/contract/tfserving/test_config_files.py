"""TensorFlow Serving can read the configuration files."""

from pathlib import Path

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
    text_format,
    wrappers_pb2,  # noqa: F401  # registered in the default pool
)
from running import ROOT
from tensorflow_serving.config import model_server_config_pb2

FOLDER = ROOT / "services/classifier/tfserving"
Field = descriptor_pb2.FieldDescriptorProto


def parse(file: str, kind: type[message.Message]) -> message.Message:
    """Strictly: a field that the definition lacks is an error."""
    return text_format.Parse((FOLDER / file).read_text(), kind())


def documented(name: str, fields: list[tuple[str, int, str]]) -> type[message.Message]:
    """A message of TensorFlow Serving that its Python package leaves out, with its documented
    fields: (name, number, full name of a message type, or "bool" or "string")."""
    scalars = {"bool": Field.TYPE_BOOL, "string": Field.TYPE_STRING}
    file = descriptor_pb2.FileDescriptorProto(
        name=f"documented/{name}.proto", package="documented", syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )  # fmt: skip
    described = file.message_type.add(name=name)
    for field_name, number, kind in fields:
        field = described.field.add(name=field_name, number=number, label=Field.LABEL_OPTIONAL)
        if kind in scalars:
            field.type = scalars[kind]
        else:
            field.type, field.type_name = Field.TYPE_MESSAGE, f".{kind}"
            owner = descriptor_pool.Default().FindMessageTypeByName(kind).file.name
            if owner not in file.dependency:
                file.dependency.append(owner)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(
        descriptor_pool.Default().FindMessageTypeByName(f"documented.{name}")
    )


def test_models_config_parses_with_the_official_definition() -> None:
    config = parse("models.config", model_server_config_pb2.ModelServerConfig)
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == (
        "emotion",
        "/models/emotion",
        "tensorflow",
    )
    assert model.model_version_policy.latest.num_versions == 2
    versions = {int(p.name) for p in model_folder().iterdir() if p.name.isdigit()}
    assert set(model.version_labels.values()) <= versions


def model_folder() -> Path:
    return ROOT / "services/classifier/models/emotion"


def test_every_version_holds_both_forms_of_the_model() -> None:
    for folder in model_folder().iterdir():
        if folder.name.isdigit():
            assert (folder / "saved_model.pb").is_file()
            assert (folder / "variables/variables.index").is_file()
            assert (folder / "model.tflite").is_file()


def test_batching_config() -> None:
    number = "google.protobuf.Int64Value"
    names = ["max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"]
    kind = documented("BatchingParameters", [(name, k, number) for k, name in enumerate(names, 1)])
    config = parse("batching.config", kind)
    assert config.max_batch_size.value == 256
    assert config.batch_timeout_micros.value == 0
    assert config.num_batch_threads.value > 0


def test_monitoring_config() -> None:
    documented("PrometheusConfig", [("enable", 1, "bool"), ("path", 2, "string")])
    kind = documented("MonitoringConfig", [("prometheus_config", 1, "documented.PrometheusConfig")])
    config = parse("monitoring.config", kind)
    assert config.prometheus_config.enable
    assert config.prometheus_config.path == "/monitoring/prometheus/metrics"
