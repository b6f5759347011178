"""Our subset of the API has the official names, numbers and types."""

import subprocess
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from running import PYTHON
from tensorflow_serving.apis import (  # noqa: F401  # registered in the default pool
    model_service_pb2,
    prediction_service_pb2,
)
from tensorflow_serving.config import model_server_config_pb2  # noqa: F401

# One process cannot load both, so ours are read from another.
_PRINT_OURS = """
from emotion.tfserving import serving_pb2, tensor_pb2
for module in (serving_pb2, tensor_pb2):
    print(module.DESCRIPTOR.serialized_pb.hex())
"""
Field = descriptor_pb2.FieldDescriptorProto


def our_files() -> list[descriptor_pb2.FileDescriptorProto]:
    done = subprocess.run(
        [str(PYTHON), "-c", _PRINT_OURS], capture_output=True, text=True, check=True, timeout=30
    )
    return [
        descriptor_pb2.FileDescriptorProto.FromString(bytes.fromhex(line))
        for line in done.stdout.split()
    ]


def with_nested(prefix: str, message: Any) -> list[tuple[str, Any]]:
    name = f"{prefix}.{message.name}"
    found = [(name, message)]
    for nested in message.nested_type:
        found += with_nested(name, nested)
    return found


FILES = our_files()
MESSAGES = [
    pair for file in FILES for message in file.message_type
    for pair in with_nested(file.package, message)
]  # fmt: skip
ENUMS = [(f"{file.package}.{enum.name}", enum) for file in FILES for enum in file.enum_type] + [
    (f"{name}.{enum.name}", enum) for name, message in MESSAGES for enum in message.enum_type
]
SERVICES = [
    (f"{file.package}.{service.name}", service) for file in FILES for service in file.service
]
POOL = descriptor_pool.Default()


# Fields that differ on purpose, with the same bytes on the wire: ours, theirs.
WIRE_ALIKE = {
    # An enum there, tensorflow.error.Code, with the numbers of gRPC's status codes.
    "tensorflow.serving.StatusProto.error_code": ("TYPE_INT32", "TYPE_ENUM"),
}


def test_every_message_is_official() -> None:
    for name, ours in MESSAGES:
        assert POOL.FindMessageTypeByName(name).GetOptions().map_entry == ours.options.map_entry


@pytest.mark.parametrize(
    ("name", "ours", "oneof"),
    [
        pytest.param(
            f"{name}.{field.name}",
            field,
            message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None,
            id=f"{name}.{field.name}",
        )
        for name, message in MESSAGES
        for field in message.field
    ],
)
def test_fields(name: str, ours: Any, oneof: str | None) -> None:
    message, _, field_name = name.rpartition(".")
    official = POOL.FindMessageTypeByName(message).fields_by_name[field_name]
    theirs = Field(name=official.name, number=official.number)
    theirs.type = official.type
    assert ours.number == theirs.number
    types = (Field.Type.Name(ours.type), Field.Type.Name(theirs.type))
    assert types == WIRE_ALIKE.get(name, (types[1], types[1]))
    assert (ours.label == Field.LABEL_REPEATED) == official.is_repeated
    assert (ours.json_name or json_name(ours.name)) == official.json_name
    if ours.type_name:
        kind = official.message_type or official.enum_type
        assert ours.type_name == f".{kind.full_name}"
    # Where we define one member of a oneof only, it needs none.
    if oneof is not None:
        assert official.containing_oneof.name == oneof


def json_name(name: str) -> str:
    """The name in JSON of a field that sets none."""
    first, *others = name.split("_")
    return first + "".join(other[:1].upper() + other[1:] for other in others)


@pytest.mark.parametrize(("name", "ours"), ENUMS, ids=[name for name, _ in ENUMS])
def test_enums(name: str, ours: Any) -> None:
    official = POOL.FindEnumTypeByName(name).values_by_name
    for value in ours.value:
        assert official[value.name].number == value.number


@pytest.mark.parametrize(("name", "ours"), SERVICES, ids=[name for name, _ in SERVICES])
def test_services(name: str, ours: Any) -> None:
    official = POOL.FindServiceByName(name).methods_by_name
    for method in ours.method:
        theirs = official[method.name]
        assert method.input_type == f".{theirs.input_type.full_name}"
        assert method.output_type == f".{theirs.output_type.full_name}"
        assert (method.client_streaming, method.server_streaming) == (
            theirs.client_streaming,
            theirs.server_streaming,
        )


def test_something_was_compared() -> None:
    assert {"tensorflow.serving.PredictRequest", "tensorflow.TensorProto"} <= dict(MESSAGES).keys()
    assert len(SERVICES) == 2
