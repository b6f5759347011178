"""The browser's framing: WebSocket messages in, events out."""

import tracemalloc
from itertools import pairwise
from urllib.parse import unquote

import pytest
from emotion_gateway.grpcweb import (
    HalfClose,
    Headers,
    Message,
    ProtocolError,
    ServerConnection,
    headers_frame,
    message_frame,
    trailers_frame,
)
from hypothesis import given
from hypothesis import strategies as st

LIMIT = 64


def opened(limit: int = LIMIT) -> ServerConnection:
    connection = ServerConnection(limit)
    assert list(connection.receive(b"")) == [Headers({})]
    return connection


@given(
    requests=st.lists(st.binary(max_size=LIMIT), max_size=8),
    cuts=st.lists(st.integers(0, 8 * (LIMIT + 5)), max_size=12),
)
def test_frames_give_the_same_events_however_they_are_cut_into_messages(
    requests: list[bytes], cuts: list[int]
) -> None:
    wire = b"".join(message_frame(request) for request in requests)
    connection = opened()
    events = []
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    for start, end in pairwise(edges):
        events += connection.receive(b"\x00" + wire[start:end])
        assert connection.buffered <= LIMIT + 5
    events += connection.receive(b"\x01")
    assert events == [*map(Message, requests), HalfClose()]


@given(
    good=st.lists(st.binary(max_size=LIMIT), max_size=4),
    flag=st.integers(1, 255),
)
def test_requests_before_a_broken_frame_are_delivered_even_in_the_same_message(
    good: list[bytes], flag: int
) -> None:
    wire = b"\x00" + b"".join(map(message_frame, good)) + bytes([flag, 0, 0, 0, 0])
    events = opened().receive(wire)
    assert [next(events) for _ in good] == [*map(Message, good)]
    with pytest.raises(ProtocolError, match=f"flag {flag:#04x}"):
        next(events)


@given(st.lists(st.binary(max_size=200) | st.text(max_size=20), max_size=12))
def test_garbage_raises_nothing_but_protocol_error_and_keeps_the_buffer_small(
    messages: list[bytes | str],
) -> None:
    connection = ServerConnection(LIMIT)
    for message in messages:
        try:
            list(connection.receive(message))
        except ProtocolError:
            return
        assert connection.buffered <= LIMIT + 5


@given(st.lists(st.binary(max_size=100), max_size=12))
def test_garbage_after_good_headers_raises_nothing_but_protocol_error(
    messages: list[bytes],
) -> None:
    connection = opened()
    for message in messages:
        try:
            list(connection.receive(b"\x00" + message))
        except ProtocolError:
            return
        assert connection.buffered <= LIMIT + 5


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True),
        st.from_regex(r"([!-~]([ -~]{0,10}[!-~])?)?", fullmatch=True),
    )
)
def test_the_header_block_gives_its_names_in_lower_case(headers: dict[str, str]) -> None:
    block = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    [event] = ServerConnection(LIMIT).receive(block.encode())
    assert event == Headers({name.lower(): value for name, value in headers.items()})


@pytest.mark.parametrize(
    "block", [b"no colon\r\n", b": no name\r\n", b"a: \x00\r\n", "ä: b\r\n".encode(), b"\x00\x01"]
)
def test_a_bad_header_block_is_refused(block: bytes) -> None:
    with pytest.raises(ProtocolError, match="'name: value'"):
        list(ServerConnection(LIMIT).receive(block))


def test_a_huge_header_block_is_refused() -> None:
    with pytest.raises(ProtocolError, match="at most 16,384"):
        list(ServerConnection(1 << 20).receive(b"a: " + b"b" * 20_000))


@pytest.mark.parametrize("message", [b"", b"\x02", b"\x01\x00", b"\x80", b"{"])
def test_a_message_that_begins_with_another_byte_is_refused(message: bytes) -> None:
    with pytest.raises(ProtocolError, match="begin with byte 0"):
        list(opened().receive(message))


def test_a_text_message_is_refused() -> None:
    with pytest.raises(ProtocolError, match="text message"):
        list(opened().receive("hello"))


def test_a_request_over_the_limit_is_refused_as_soon_as_its_length_is_known() -> None:
    header = message_frame(b"x" * (LIMIT + 1))[:5]
    with pytest.raises(ProtocolError, match="65 bytes; at most 64"):
        list(opened().receive(b"\x00" + header))


def test_a_half_close_in_the_middle_of_a_request_is_refused() -> None:
    connection = opened()
    assert list(connection.receive(b"\x00" + message_frame(b"request")[:8])) == []
    with pytest.raises(ProtocolError, match="in the middle of a request"):
        list(connection.receive(b"\x01"))


def test_a_message_after_the_half_close_is_refused() -> None:
    connection = opened()
    assert list(connection.receive(b"\x01")) == [HalfClose()]
    with pytest.raises(ProtocolError, match="after the half-close"):
        list(connection.receive(b"\x00"))


def test_a_request_that_trickles_in_is_not_copied_anew_for_each_piece() -> None:
    """Otherwise one client that sends its request byte by byte costs all the others their time."""
    size = 4 << 20
    connection = opened(size)
    wire = message_frame(b"x" * size)
    list(connection.receive(b"\x00" + wire[:-1000]))
    list(connection.receive(b"\x00" + wire[-1000:-999]))  # the buffer makes room for more
    tracemalloc.start()
    try:
        for byte in wire[-999:-1]:
            assert list(connection.receive(b"\x00" + bytes([byte]))) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 2


def test_many_tiny_requests_in_one_message_are_not_all_held_at_once() -> None:
    wire = b"\x00" + message_frame(b"") * 100_000
    connection = opened(1 << 20)
    tracemalloc.start()
    try:
        assert sum(event == Message(b"") for event in connection.receive(wire)) == 100_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(wire)


@given(st.binary(max_size=100))
def test_a_response_is_flag_0_length_and_bytes(data: bytes) -> None:
    assert message_frame(data) == b"\x00" + len(data).to_bytes(4, "big") + data


def test_the_headers_are_a_metadata_frame() -> None:
    frame = headers_frame()
    assert frame[0] == 0x80
    assert int.from_bytes(frame[1:5], "big") == len(frame) - 5
    assert frame[5:] == b"content-type: application/grpc-web+proto\r\n"


@given(code=st.integers(0, 16), message=st.text(st.characters(exclude_categories=["Cs"])))
def test_trailers_carry_any_message_in_printable_ascii(code: int, message: str) -> None:
    frame = trailers_frame(code, message)
    assert frame[0] == 0x80
    assert int.from_bytes(frame[1:5], "big") == len(frame) - 5
    lines = frame[5:].decode("ascii").split("\r\n")
    assert lines[0] == f"grpc-status: {code}"
    assert lines[-1] == ""
    if message:
        name, _, value = lines[1].partition(": ")
        assert name == "grpc-message"
        assert value.isprintable()
        assert unquote(value) == message
    assert len(lines) == (3 if message else 2)
