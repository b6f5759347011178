"""The load generator's clients against a server that reads slowly."""

import select
import socket
import time

from emotion.v1 import emotion_pb2
from websockets.frames import Frame as WebSocketFrame
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
    image = bytes(range(256)) * 65536  # more than the buffers of both sockets
    server = socket.create_server(("127.0.0.1", 0))
    host, port = server.getsockname()[:2]
    protocol = ServerProtocol(subprotocols=[Subprotocol("grpc-websockets")], max_size=None)
    messages: list[bytes] = []
    with server, select.epoll() as events:
        session = Session([Frame(image, 0)], 0)
        connection = Connection(host, port, "websocket", session, events)
        accepted, _ = server.accept()
        with accepted:
            deadline = time.monotonic() + 20
            while len(messages) < 2 and time.monotonic() < deadline:
                for _, happened in events.poll(0.01):
                    connection.serve(happened)
                while select.select([accepted], [], [], 0)[0]:
                    protocol.receive_data(accepted.recv(1 << 20))
                for event in protocol.events_received():
                    if isinstance(event, Request):
                        protocol.send_response(protocol.accept(event))
                        accepted.sendall(b"".join(protocol.data_to_send()))
                    elif isinstance(event, WebSocketFrame):
                        messages.append(bytes(event.data))
        connection.close()
    _, message = messages
    request = emotion_pb2.StreamRecognizeRequest.FromString(message[6:])
    assert request.frame.image == image
    assert request.frame.frame_id == 1
    assert session.outstanding == 1
