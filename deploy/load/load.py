"""Plays many clients against a running Emotion Recognizer, and says what came back.

``python3 load.py --target envoy:80 --clients 50 --seconds 60``: each client sends frames at a
steady rate over a stream of its own, whatever comes back. One JSON line at the end; exits with 1
if more than ``--most-lost`` of the frames were not analysed.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from emotion.v1 import emotion_pb2, emotion_pb2_grpc

_PICTURE = Path(__file__).with_name("face.jpg")
_GRACE_SECONDS = 3.0


@dataclass
class Tally:
    """What all clients together have seen; latencies in ms, from when a frame was due."""

    sent: int = 0
    analysed: int = 0
    dropped: int = 0
    failed: int = 0
    broken_streams: int = 0
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def lost_share(self) -> float:
        """Frames without an analysis, 0..1; 1 if none was sent."""
        return 1 - self.analysed / self.sent if self.sent else 1.0

    def summary(self) -> dict[str, float]:
        """The line that is printed."""
        ordered = sorted(self.latencies_ms)
        percentiles = {
            f"p{share}_ms": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 1)
            for share in (50, 95, 99)
            if ordered
        }
        counts = {
            "sent": self.sent,
            "analysed": self.analysed,
            "dropped": self.dropped,
            "failed": self.failed,
            "broken_streams": self.broken_streams,
            "lost_share": round(self.lost_share, 4),
        }
        return counts | percentiles


async def play(
    channel: grpc.aio.Channel, picture: bytes, rate: float, seconds: float, tally: Tally
) -> None:
    """One client; connects anew, with its remaining time, when its stream breaks."""
    stub = emotion_pb2_grpc.EmotionServiceStub(channel)
    # Clients do not all send at the same moment.
    await asyncio.sleep(random.random() / rate)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        due: dict[int, float] = {}

        async def frames(
            due: dict[int, float] = due,
        ) -> AsyncIterator[emotion_pb2.StreamRecognizeRequest]:
            began = time.monotonic()
            number = 0
            while (when := began + number / rate) < ends:
                await asyncio.sleep(max(0.0, when - time.monotonic()))
                number += 1
                due[number] = when
                tally.sent += 1
                yield emotion_pb2.StreamRecognizeRequest(
                    frame=emotion_pb2.Frame(frame_id=number, image=picture)
                )

        left = ends - time.monotonic() + _GRACE_SECONDS
        try:
            async for reply in stub.StreamRecognize(frames(), timeout=left):
                waited_ms = (time.monotonic() - due.pop(reply.frame_id)) * 1000
                outcome = reply.WhichOneof("outcome")
                if outcome == "recognition":
                    tally.analysed += 1
                    tally.latencies_ms.append(waited_ms)
                elif outcome == "dropped":
                    tally.dropped += 1
                else:
                    tally.failed += 1
            return
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            # The latter, too, where nobody cancelled anything: a connection that is refused while
            # a frame is being sent makes grpcio cancel the call.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            tally.broken_streams += 1
            await asyncio.sleep(random.random())


async def run(options: argparse.Namespace) -> Tally:
    """All clients; each has a connection of its own, as browsers do."""
    picture = options.picture.read_bytes()
    tally = Tally()
    channels = [
        grpc.aio.insecure_channel(options.target, [("grpc.use_local_subchannel_pool", 1)])
        for _ in range(options.clients)
    ]
    await asyncio.gather(
        *(play(c, picture, options.frames_per_s, options.seconds, tally) for c in channels)
    )
    await asyncio.gather(*(c.close() for c in channels))
    return tally


def main() -> None:
    """Exits with 1 if too much was lost."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("--target", required=True, help="host:port of Envoy or of a gateway")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--frames-per-s", type=float, default=15.0, help="of each client")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--picture", type=Path, default=_PICTURE, help="a JPEG, sent every time")
    parser.add_argument("--most-lost", type=float, default=1.0, help="share of the frames, 0..1")
    options = parser.parse_args()
    tally = asyncio.run(run(options))
    print(json.dumps(tally.summary()))
    sys.exit(tally.lost_share > options.most_lost)


if __name__ == "__main__":
    main()
