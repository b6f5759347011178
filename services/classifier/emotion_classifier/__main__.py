"""Starts the embedded classifier: ``python -m emotion_classifier --port 8500``."""

import asyncio
import contextlib
import functools
import logging
import sys

from emotion.tfserving import serving_pb2, serving_pb2_grpc
from emotion_serving import GrpcServer, load_settings, run, run_until_signal
from emotion_serving.logs import configure_logs

from emotion_classifier.config import ConfigError, read_config
from emotion_classifier.model import Model
from emotion_classifier.servables import Servables
from emotion_classifier.service import ModelService, PredictionService
from emotion_classifier.settings import ClassifierSettings
from emotion_classifier.workers import Workers

_PROG = "emotion-classifier"
_log = logging.getLogger(__name__)


async def serve(settings: ClassifierSettings) -> None:
    """Loads the models, serves until a signal, drains.

    Raises:
        ConfigError: the configuration cannot be served; no port was opened.
        OSError: the port is taken.
    """
    workers = Workers(settings.worker_threads)
    servables = Servables(
        read_config(settings.model_config_file, settings.models_root),
        functools.partial(Model.load, threads=workers.threads),
    )
    try:
        await servables.load_first()
        services = serving_pb2.DESCRIPTOR.services_by_name
        server = GrpcServer(settings, [service.full_name for service in services.values()])
        serving_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(servables, workers, settings.max_batch_faces), server
        )
        serving_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(servables), server)
        port = await server.start()
        await server.set_serving(True)
        _log.info("serving", extra={"host": settings.host, "port": port})
        watch = asyncio.create_task(servables.watch(settings.poll_seconds))
        await run_until_signal(server.drain)
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
    finally:
        servables.close()
        workers.close()


def main() -> None:
    """Runs the server; exits with 2 for settings that cannot be served, 1 for a taken port."""
    settings = load_settings(ClassifierSettings, prog=_PROG)
    configure_logs(_PROG, settings.log_level)
    _log.info(
        "starting",
        extra=settings.model_dump(mode="json") | {"worker_threads": settings.worker_threads},
    )
    try:
        run(serve(settings))
    except ConfigError as error:
        print(f"{_PROG}: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"{_PROG}: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
