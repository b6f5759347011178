"""What every server here shares.

``settings``  one typed object a service: flags, environment, validation
``logs``      structured logging, one JSON line an event
``errors``    the tree of errors and what makes them statuses
``server``    a gRPC server with health, reflection, signals and a draining stop; its event loop

The last two need the extra ``grpc`` and are imported when one of their names is first asked
for: the page's server is installed without gRPC.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from emotion_serving.settings import GrpcSettings, ServiceSettings, load_settings

# Both are read when gRPC starts. Its own notes, such as of connections that end, are no JSON.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
# gRPC's event engine hands every read to a thread pool of its own; the poller that it replaces
# answers a single frame sooner and costs less (docs/performance.md).
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")

if TYPE_CHECKING:
    from emotion_serving.errors import (
        FailedPrecondition,
        InvalidArgument,
        NotFound,
        ResourceExhausted,
        ServiceError,
        Unavailable,
    )
    from emotion_serving.server import GrpcServer, run, run_until_signal

__all__ = [
    "FailedPrecondition",
    "GrpcServer",
    "GrpcSettings",
    "InvalidArgument",
    "NotFound",
    "ResourceExhausted",
    "ServiceError",
    "ServiceSettings",
    "Unavailable",
    "load_settings",
    "run",
    "run_until_signal",
]


def __getattr__(name: str) -> object:
    """A name of ``errors`` or ``server`` (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "server" if name in ("GrpcServer", "run", "run_until_signal") else "errors"
    return getattr(import_module(f"{__name__}.{module}"), name)
