"""The load generator's clients against a server that reads slowly."""

import select
import socket
import time

from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from benchmarks.frames import Frame
from benchmarks.load import Connection, rest
from benchmarks.session import Session


def test_the_rest_begins_where_the_network_stopped() -> None:
    parts: list[bytes | memoryview] = [b"abc", b"", memoryview(b"defg"), b"h"]
    whole = b"".join(parts)
    for count in range(len(whole) + 1):
        assert b"".join(rest(parts, count)) == whole[count:]
    assert rest(parts, len(whole)) == []


def test_what_the_network_does_not_take_at_once_is_sent_later() -> None:
    image = bytes(range(256)) * 8192
    server = socket.create_server(("127.0.0.1", 0))
    host, port = server.getsockname()[:2]
    with server, select.epoll() as events:
        session = Session([Frame(image, 0)], 0)
        connection = Connection(host, port, "websocket", session, events)
        accepted, _ = server.accept()
        accepted.settimeout(10)
        with accepted:
            request = b""
            while b"\r\n\r\n" not in request:
                request += accepted.recv(65536)
            accepted.sendall(_accepted(request))
            received = b""
            deadline = time.monotonic() + 10
            while len(received) < len(image) and time.monotonic() < deadline:
                for _, happened in events.poll(0.1):
                    connection.serve(happened)
                while select.select([accepted], [], [], 0)[0]:
                    received += accepted.recv(65536)
        connection.close()
    assert len(received) > len(image)
    assert session.outstanding == 1


def _accepted(request: bytes) -> bytes:
    """A WebSocket server's answer to a handshake."""
    protocol = ServerProtocol(subprotocols=[Subprotocol("grpc-websockets")])
    protocol.receive_data(request)
    (handshake,) = protocol.events_received()
    assert isinstance(handshake, Request)
    protocol.send_response(protocol.accept(handshake))
    return b"".join(protocol.data_to_send())
