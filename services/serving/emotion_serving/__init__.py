"""What every gRPC server here shares.

``settings``  one typed object a service: flags, environment, validation
``logs``      structured logging, one JSON line an event
``errors``    the tree of errors and the interceptor that makes them statuses
``server``    a gRPC server with health, reflection, signals and a draining stop
"""

from emotion_serving.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    ServiceError,
    Unavailable,
)
from emotion_serving.server import GrpcServer, run_until_signal
from emotion_serving.settings import GrpcSettings, ServiceSettings, load_settings

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
    "run_until_signal",
]
