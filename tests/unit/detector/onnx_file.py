"""Makes a three-channel copy of a one-channel ONNX model, with nothing but bytes.

An ONNX file is a protobuf message; writing the few fields here spares the tests the onnx package.
"""

import struct
from collections.abc import Iterator


def varint(value: int) -> bytes:
    """``value`` as protobuf writes it."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, content: bytes | int) -> bytes:
    """A protobuf field: bytes or an integer."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Number and content of the fields of a message that has only integers and bytes."""
    position = 0

    def read() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        tag = read()
        value = read()
        if tag & 7 == 2:
            yield tag >> 3, message[position : position + value]
            position += value
        else:
            yield tag >> 3, value


def three_channels(model: bytes, gray: str = "input", height: int = 0, width: int = 0) -> bytes:
    """A model that averages three channels into the input ``gray`` of ``model``.

    ``height`` and ``width`` fix the size of its input; 0 leaves it free.
    """
    sides = [
        field(1, size) if size else field(2, name)
        for size, name in ((height, b"height"), (width, b"width"))
    ]
    shape = b"".join(field(1, side) for side in (field(1, 1), field(1, 3), *sides))
    tensor_type = field(1, 1) + field(2, shape)
    source = field(1, b"bgr") + field(2, field(1, tensor_type))
    weights = b"".join(field(1, size) for size in (1, 3, 1, 1))
    weights += field(2, 1) + field(8, b"mean") + field(9, struct.pack("<3f", *[1 / 3] * 3))
    convolution = field(1, b"bgr") + field(1, b"mean") + field(2, gray.encode())
    convolution += field(4, b"Conv")
    graph = field(1, convolution) + field(5, weights) + field(11, source)
    result = b""
    for number, content in fields(model):
        if number != 7:
            result += field(number, content)
            continue
        assert isinstance(content, bytes)
        graph += b"".join(field(n, c) for n, c in fields(content) if n != 11)
        result += field(7, graph)
    return result
