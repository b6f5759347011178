import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { FakeGateway } from "../../dev/fake_gateway.ts";
import { AsyncQueue } from "../src/async-queue.js";
import { EmotionService, type StreamRecognizeRequestSchema } from "../src/gen/emotion/v1/emotion_pb.js";
import { CLOSE_CODE_HEADER, createWebSocketTransport } from "../src/websocket-transport.js";

type Requests = AsyncQueue<MessageInitShape<typeof StreamRecognizeRequestSchema>>;

let gateway: FakeGateway;
let opened: number;
let requests: Requests;

beforeEach(async () => {
  gateway = await new FakeGateway().listen();
  opened = 0;
  requests = new AsyncQueue();
});
afterEach(() => gateway.stop());

function stream(signal?: AbortSignal) {
  const transport = createWebSocketTransport({ baseUrl: gateway.url, onOpen: () => (opened += 1) });
  return createClient(EmotionService, transport).streamRecognize(requests, {
    headers: { "x-token": "abc" },
    ...(signal && { signal }),
  });
}

function sendFrames(...frameIds: number[]): void {
  for (const frameId of frameIds) requests.push({ frame: { frameId: BigInt(frameId), image: new Uint8Array(1000), captureTimeUs: 5n } });
}

async function failure(replies: AsyncIterable<unknown>): Promise<ConnectError> {
  try {
    for await (const _ of replies);
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("the stream ended without an error");
}

describe("a bidirectional call", () => {
  test("sends its headers, then its messages, and gets replies while it sends", async () => {
    const replies = stream()[Symbol.asyncIterator]();
    sendFrames(1);
    expect((await replies.next()).value).toMatchObject({ frameId: 1n, captureTimeUs: 5n, outcome: { case: "recognition" } });
    sendFrames(2);
    expect((await replies.next()).value).toMatchObject({ frameId: 2n });
    expect(opened).toBe(1);
    expect(gateway.headerBlocks[0]).toMatch(/^x-token: abc\r\n/m);
    expect(gateway.headerBlocks[0]).toMatch(/^content-type: application\/grpc-web\+proto\r\n/m);
    expect(gateway.received.map((request) => request.frame?.image.length)).toEqual([1000, 1000]);
  });

  test("half-closes and ends with the server's status", async () => {
    sendFrames(1, 2, 3);
    requests.end();
    const frameIds: bigint[] = [];
    for await (const reply of stream()) frameIds.push(reply.frameId);
    expect(frameIds).toEqual([1n, 2n, 3n]);
    expect(gateway.halfCloses).toBe(1);
  });

  test.each([1, 3, 17])("does not mind replies in pieces of %i bytes", async (pieceBytes) => {
    gateway.behaviour.pieceBytes = pieceBytes;
    sendFrames(1, 2);
    requests.end();
    const faces: number[] = [];
    for await (const reply of stream()) faces.push(reply.outcome.case === "recognition" ? reply.outcome.value.faces.length : -1);
    expect(faces).toEqual([2, 2]);
  });

  test("throws the status in the trailers", async () => {
    gateway.behaviour.full = true;
    const error = await failure(stream());
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toBe("too many sessions");
  });

  test.each([
    [1001, Code.Unavailable],
    [1006, Code.Unavailable],
    [1008, Code.PermissionDenied],
    [1009, Code.ResourceExhausted],
    [1011, Code.Internal],
    [1013, Code.Unavailable],
  ])("that is closed with %i throws code %i", async (closeCode, code) => {
    const replies = stream();
    sendFrames(1);
    const iterator = replies[Symbol.asyncIterator]();
    await iterator.next();
    gateway.closeStreams(closeCode);
    const error = await failure({ [Symbol.asyncIterator]: () => iterator });
    expect(error.code).toBe(code);
    expect(error.metadata.get(CLOSE_CODE_HEADER)).toBe(String(closeCode));
  });

  test("that cannot be opened is unavailable, and never was open", async () => {
    gateway.behaviour.webSocket = false;
    expect((await failure(stream())).code).toBe(Code.Unavailable);
    expect(opened).toBe(0);
  });

  test("ends when it is aborted, and closes its WebSocket", async () => {
    const abort = new AbortController();
    const replies = stream(abort.signal);
    sendFrames(1);
    const iterator = replies[Symbol.asyncIterator]();
    await iterator.next();
    abort.abort();
    expect((await failure({ [Symbol.asyncIterator]: () => iterator })).code).toBe(Code.Canceled);
    await expect.poll(() => gateway.streams).toBe(0);
  });
});
