"""The tree of errors that callers may see, and the one place that makes them statuses."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

import grpc

_log = logging.getLogger(__name__)


class ServiceError(Exception):
    """An error whose message is meant for the caller: what was wrong, what was expected."""

    code = grpc.StatusCode.INTERNAL


class InvalidArgument(ServiceError):
    """The request itself is wrong; repeating it cannot help."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(ServiceError):
    """The thing asked for does not exist."""

    code = grpc.StatusCode.NOT_FOUND


class FailedPrecondition(ServiceError):
    """The request does not fit the state of the service."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class ResourceExhausted(ServiceError):
    """A limit is reached."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(ServiceError):
    """Something needed is away; repeating the call later may help."""

    code = grpc.StatusCode.UNAVAILABLE


def status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """The gRPC status code and message for an error; details of faults of ours stay in the log."""
    if isinstance(error, ServiceError):
        return error.code, str(error)
    _log.error("unexpected error", exc_info=error)
    return grpc.StatusCode.INTERNAL, "internal error; the service's log tells more"


class Guard:
    """Turns errors raised by handlers into gRPC statuses and counts the calls that run.

    Wraps handlers once, when they are registered: an interceptor would wrap each call anew.
    Cancellation is always passed on: a handler that swallows it leaks memory of each
    call (grpc/grpc issue 43360).

    ``idle`` is set while no call is running.
    """

    def __init__(self) -> None:
        self._running = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def guarded(self, service: grpc.GenericRpcHandler) -> grpc.GenericRpcHandler:
        """The same service with those handlers guarded that are coroutines: all of ours are,
        those of grpcio's own services (health, reflection) need it not."""
        return _Guarded(service, self._wrapped)

    def _wrapped(self, handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
        for kind, wrap in (
            ("unary_unary", grpc.unary_unary_rpc_method_handler),
            ("stream_stream", grpc.stream_stream_rpc_method_handler),
        ):
            method = getattr(handler, kind)
            if inspect.iscoroutinefunction(method):
                return wrap(
                    self._guard(method), handler.request_deserializer, handler.response_serializer
                )
        return handler

    def _guard(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(request: Any, context: grpc.aio.ServicerContext) -> Any:
            self._running += 1
            self.idle.clear()
            try:
                return await method(request, context)
            except (grpc.aio.AbortError, asyncio.CancelledError):
                raise
            except Exception as error:
                try:
                    await context.abort(*status_of(error))
                except grpc.aio.InternalError:
                    # The client is gone: there is nobody to tell.
                    raise asyncio.CancelledError from None
            finally:
                self._running -= 1
                if not self._running:
                    self.idle.set()

        return guarded


class _Guarded(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A service whose handlers are wrapped when they are first called."""

    def __init__(
        self,
        service: grpc.GenericRpcHandler,
        wrap: Callable[[grpc.RpcMethodHandler], grpc.RpcMethodHandler],
    ) -> None:
        self._service, self._wrap = service, wrap
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """The handler of a method; None for one of another service."""
        method = handler_call_details.method
        found = self._handlers.get(method)
        if found is None and (handler := self._service.service(handler_call_details)) is not None:
            found = self._handlers[method] = self._wrap(handler)
        return found
