"""The native gRPC front."""

from collections.abc import AsyncIterator

import grpc
from emotion.v1 import emotion_pb2
from emotion_serving import GrpcServer

from emotion_gateway.streams import Streams

SERVICE = emotion_pb2.DESCRIPTOR.services_by_name["EmotionService"].full_name


def add_emotion_service(server: grpc.aio.Server | GrpcServer, streams: Streams) -> None:
    """Registers ``emotion.v1.EmotionService`` on a server.

    Requests stay bytes until the data plane parses them, so that one that is not a message
    gets the same error on every front: one error reply in a stream, a status else.
    """

    async def recognize(
        request: bytes,
        context: grpc.aio.ServicerContext,  # noqa: ARG001
    ) -> emotion_pb2.RecognizeResponse:
        return await streams.recognize(request)

    async def stream_recognize(
        requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> None:
        await streams.serve_stream(requests, context.write)

    handlers = {
        "Recognize": grpc.unary_unary_rpc_method_handler(
            recognize,
            None,
            emotion_pb2.RecognizeResponse.SerializeToString,
        ),
        "StreamRecognize": grpc.stream_stream_rpc_method_handler(
            stream_recognize,
            None,
            emotion_pb2.StreamRecognizeResponse.SerializeToString,
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
