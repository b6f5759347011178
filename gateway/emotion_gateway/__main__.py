"""``python -m emotion_gateway``: starts the gateway."""

import asyncio
import logging
import sys

from emotion_serving import GrpcServer, load_settings, run, run_until_signal
from emotion_serving.logs import configure_logs

from emotion_gateway.backends import ClassifierBackend, DetectorBackend, open_channel
from emotion_gateway.dispatcher import Dispatcher
from emotion_gateway.grpc_front import SERVICE, add_emotion_service
from emotion_gateway.metrics import MetricsServer
from emotion_gateway.settings import MESSAGE_ROOM, GatewaySettings
from emotion_gateway.streams import Limits, Streams
from emotion_gateway.websocket_front import WebSocketFront

_log = logging.getLogger("emotion_gateway")


async def serve(settings: GatewaySettings) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        OSError: a port is taken.
    """
    detectors = [
        open_channel(address, settings.max_message_bytes) for address in settings.detector.split()
    ]
    classifier = open_channel(settings.classifier, settings.max_message_bytes)
    dispatcher = Dispatcher(
        DetectorBackend(detectors, settings.detector_deadline_seconds),
        ClassifierBackend(
            classifier,
            settings.classifier_deadline_seconds,
            settings.model,
            settings.model_label,
        ),
        concurrency=settings.detector_concurrency,
        max_batch=settings.max_batch,
        max_batch_bytes=settings.max_message_bytes - settings.max_image_bytes - MESSAGE_ROOM,
    )
    streams = Streams(
        dispatcher,
        Limits(
            max_sessions=settings.max_sessions,
            max_image_bytes=settings.max_image_bytes,
            max_backlog=settings.max_backlog,
            write_seconds=settings.write_seconds,
        ),
        search_interval_us=round(settings.search_seconds * 1e6),
    )
    grpc_server = GrpcServer(settings, [SERVICE])
    add_emotion_service(grpc_server, streams)
    websockets = WebSocketFront(streams, settings.max_message_bytes, settings.allowed_origins)
    metrics = MetricsServer(
        [
            ("emotion_gateway_sessions", "Streams and calls served now.", lambda: streams.sessions),
            (
                "emotion_gateway_max_sessions",
                "Streams and calls that may be served at once.",
                lambda: settings.max_sessions,
            ),
            (
                "emotion_gateway_frames_in_flight",
                "Frames that wait for the detector or are in work.",
                lambda: dispatcher.frames_in_flight,
            ),
        ]
    )
    try:
        if settings.metrics_port:
            await metrics.start(settings.host, settings.metrics_port)
        websocket_port = await websockets.start(
            settings.host, settings.websocket_port, settings.websocket_unix_socket
        )
        port = await grpc_server.start()
        await grpc_server.set_serving(True)
        _log.info("serving", extra={"port": port, "websocket_port": websocket_port})

        async def stop() -> None:
            streams.drain()
            await asyncio.gather(grpc_server.drain(), streams.idle(settings.drain_seconds))
            await websockets.stop()

        await run_until_signal(stop)
    finally:
        await websockets.stop()
        await metrics.stop()
        for channel in (*detectors, classifier):
            await channel.close()


def main() -> None:
    """Reads the settings and serves; exits with 2 for bad settings, 1 for a taken port."""
    settings = load_settings(GatewaySettings, prog="emotion-gateway")
    configure_logs("gateway", settings.log_level)
    _log.info("starting", extra={"settings": settings.model_dump()})
    try:
        run(serve(settings))
    except OSError as error:
        print(f"emotion-gateway: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
