"""Changes what an ONNX model takes, with nothing but bytes.

An ONNX file is a protobuf message; writing the few fields here spares the tests the onnx package.
"""

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


def taking(model: bytes, channels: int, height: int = 0, width: int = 0) -> bytes:
    """``model`` with another shape of its input ``input``; 0 leaves height and width free."""
    sides = [
        field(1, size) if size else field(2, name)
        for size, name in ((height, b"height"), (width, b"width"))
    ]
    shape = b"".join(field(1, side) for side in (field(1, 1), field(1, channels), *sides))
    source = field(1, b"input") + field(2, field(1, field(1, 1) + field(2, shape)))
    result = b""
    for number, content in fields(model):
        if number == 7:
            assert isinstance(content, bytes)
            graph = b"".join(field(n, c) for n, c in fields(content) if n != 11)
            content = graph + field(11, source)
        result += field(number, content)
    return result
