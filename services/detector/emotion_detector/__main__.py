"""``python -m emotion_detector``: runs the detector service until SIGTERM."""

import contextlib
import logging
import signal
import sys

import cv2
from emotion.detector.v1 import detector_pb2, detector_pb2_grpc
from emotion_serving import GrpcServer, load_settings, run, run_until_signal
from emotion_serving.logs import configure_logs

from emotion_detector import processes
from emotion_detector.detector import FaceDetector
from emotion_detector.network import ModelError, Network
from emotion_detector.picture import Limits
from emotion_detector.service import FaceDetectorServicer
from emotion_detector.settings import DetectorSettings

_PROGRAM = "emotion_detector"
_SERVICE = detector_pb2.DESCRIPTOR.services_by_name["FaceDetectorService"].full_name

_log = logging.getLogger(_PROGRAM)


async def serve(
    settings: DetectorSettings, network: Network, others: processes.Others = ()
) -> None:
    """Serves until SIGTERM or SIGINT, or until one of ``others`` ends; then all drain.

    Raises:
        OSError: the port is taken.
    """
    processes.end_together(others)
    detector = FaceDetector(network, Limits(settings.max_image_bytes, settings.max_image_pixels))
    servicer = FaceDetectorServicer(detector, settings.workers, settings.max_batch)
    with contextlib.closing(servicer):
        server = GrpcServer(settings, [_SERVICE])
        detector_pb2_grpc.add_FaceDetectorServiceServicer_to_server(servicer, server)
        port = await server.start()
        await server.set_serving(True)
        _log.info("serving", extra={"port": port, "workers": settings.workers})

        async def stop() -> None:
            processes.stop(others)
            await server.drain(servicer.end_streams)

        await run_until_signal(stop)


def main() -> None:
    """Exits with 2 for a bad setting or model, with 1 for a port that can not be opened or when one
    of several processes has ended by itself."""
    settings = load_settings(DetectorSettings, prog=_PROGRAM)
    configure_logs(_PROGRAM, settings.log_level)
    _log.info("settings", extra=settings.model_dump(mode="json"))
    cv2.setNumThreads(1)  # parallel over pictures, not inside one
    try:
        network = Network(settings.model, settings.detection_size)  # runs it once: warm
    except ModelError as error:
        print(f"{_PROGRAM}: {error}", file=sys.stderr)
        sys.exit(2)

    def serve_here(k: int, others: processes.Others = ()) -> None:
        try:
            run(serve(settings.of_process(k), network, others))
        except OSError as error:
            print(f"{_PROGRAM}: {error}", file=sys.stderr)
            sys.exit(1)

    others = processes.fork(settings.processes, serve_here)
    serve_here(0, others)
    processes.wait(others, settings.drain_seconds)
    if any(process.exitcode not in (0, -signal.SIGTERM) for process in others):
        sys.exit(1)


if __name__ == "__main__":
    main()
