import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { FakeGateway } from "../../dev/fake_gateway.ts";
import { connect, type ConnectOptions, type EmotionClient } from "../src/client.js";
import type { DroppedEvent, FrameErrorEvent, ResultEvent } from "../src/events.js";
import { FrameErrorCode } from "../src/gen/emotion/v1/emotion_pb.js";
import type { ClientState } from "../src/state.js";

const POLICY = { backoff: { minMs: 20, maxMs: 60 }, probeDelaysMs: [100, 100] as const, replyTimeoutMs: 300, openTimeoutMs: 500 };

let gateway: FakeGateway;
let client: EmotionClient;
let results: ResultEvent[];
let errors: FrameErrorEvent[];
let dropped: DroppedEvent[];
let states: ClientState[];

beforeEach(async () => {
  gateway = await new FakeGateway().listen();
});
afterEach(async () => {
  client.stop();
  await gateway.stop();
});

function start(frames: AsyncIterable<Blob>, options: ConnectOptions = {}): void {
  results = [];
  errors = [];
  dropped = [];
  states = [];
  client = connect(gateway.url, { policy: { ...POLICY }, maxFramesPerSecond: 200, ...options });
  client.on("result", (result) => results.push(result));
  client.on("error", (error) => errors.push(error));
  client.on("dropped", (event) => dropped.push(event));
  client.on("state", (state) => states.push(state));
  client.start(frames);
}

async function* frames(count = Infinity): AsyncGenerator<Blob> {
  for (let frame = 0; frame < count; frame += 1) yield new Blob([new Uint8Array(100)]);
}

const live = (transport: string) => expect.poll(() => client.state).toEqual({ name: "live", transport });
const someResults = async () => {
  const before = results.length;
  await expect.poll(() => results.length).toBeGreaterThan(before + 3);
};

describe("over WebSocket", () => {
  test("each frame is answered, in order, with two in flight at most", async () => {
    start(frames(20), { recognize: { maxFaces: 3 } });
    await expect.poll(() => client.state.name).toBe("stopped");
    expect(results.map((result) => result.frameId)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(gateway.mostInFlight).toBe(2);
    expect(gateway.received.filter((request) => request.options?.maxFaces === 3)).toHaveLength(1);
    expect(gateway.received[0]!.options).toBeDefined();
    expect(results[10]).toMatchObject({ transport: "websocket", timings: { totalUs: 3000 } });
    expect(results[10]!.roundTripMs).toBeGreaterThan(5);
    expect(results[10]!.framesPerSecond).toBeGreaterThan(10);
    expect(states.map((state) => state.name)).toEqual(["connecting", "live", "stopped"]);
  });

  test("a server that goes away is met again", async () => {
    start(frames());
    await live("websocket");
    await someResults();
    gateway.closeStreams(1001);
    await expect.poll(() => states.some((state) => state.name === "reconnecting" && state.reason === "going-away")).toBe(true);
    await live("websocket");
    await someResults();
    const ids = results.map((result) => result.frameId);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(gateway.headerBlocks).toHaveLength(2);
  });

  test("a server that falls silent is met again", async () => {
    start(frames());
    await live("websocket");
    gateway.behaviour.answering = false;
    await expect.poll(() => states.some((state) => state.name === "reconnecting" && state.reason === "no-reply")).toBe(true);
    gateway.behaviour.answering = true;
    await live("websocket");
    await someResults();
  });

  test("errors of frames are told and the stream goes on", async () => {
    start(frames());
    await live("websocket");
    gateway.behaviour.detector = false;
    await expect.poll(() => errors.length).toBeGreaterThan(2);
    expect(errors[0]).toMatchObject({ code: FrameErrorCode.DETECTOR_UNAVAILABLE });
    gateway.behaviour.detector = true;
    await someResults();
    expect(gateway.headerBlocks).toHaveLength(1);
  });

  test("a full server is tried again", async () => {
    gateway.behaviour.full = true;
    start(frames());
    await expect.poll(() => states.some((state) => state.name === "reconnecting" && state.reason === "session-limit")).toBe(true);
    gateway.behaviour.full = false;
    await live("websocket");
  });

  test("stopping closes the stream", async () => {
    start(frames());
    await someResults();
    client.stop();
    expect(client.state).toEqual({ name: "stopped" });
    await expect.poll(() => gateway.streams).toBe(0);
  });

  test("credentials are asked for at each connection", async () => {
    let asked = 0;
    start(frames(), { headers: () => ({ authorization: `Bearer ${++asked}` }) });
    await someResults();
    gateway.closeStreams(1006);
    await expect.poll(() => gateway.headerBlocks.length).toBe(2);
    expect(gateway.headerBlocks.map((block) => /authorization: (.*)\r/.exec(block)?.[1])).toEqual(["Bearer 1", "Bearer 2"]);
  });
});

describe("without WebSocket", () => {
  test("frames go by unary calls that carry the tracks, until a WebSocket opens", async () => {
    gateway.behaviour.webSocket = false;
    start(frames());
    await live("unary");
    await someResults();
    expect(gateway.unary.slice(0, 3).map((request) => request.trackingState?.nextTrackId)).toEqual([0n, 1n, 2n]);
    expect(results.at(-1)).toMatchObject({ transport: "unary" });
    gateway.behaviour.webSocket = true;
    await live("websocket");
    await someResults();
    expect(states.map((state) => state.name)).toEqual(["connecting", "live", "live"]);
  });

  test("a detector that is away is an error of the frame", async () => {
    gateway.behaviour.webSocket = false;
    gateway.behaviour.detector = false;
    start(frames());
    await expect.poll(() => errors.length).toBeGreaterThan(0);
    expect(errors[0]).toMatchObject({ code: FrameErrorCode.DETECTOR_UNAVAILABLE, message: "the face detector is away" });
    await live("unary");
  });

  test("a service that is away is waited for", async () => {
    gateway.behaviour.service = false;
    start(frames());
    await expect.poll(() => client.state).toMatchObject({ name: "reconnecting", reason: "server-away" });
    expect(errors).toEqual([]);
    gateway.behaviour.service = true;
    await live("websocket");
  });
});

describe("options", () => {
  test("change while frames are sent", async () => {
    start(frames(), { recognize: { maxFaces: 3 } });
    await someResults();
    client.update({ recognize: { maxFaces: 5 }, maxFramesPerSecond: 20 });
    await expect.poll(() => gateway.received.filter((request) => request.options?.maxFaces === 5)).toHaveLength(1);
    await someResults();
    expect(gateway.headerBlocks).toHaveLength(1);
    expect(results.at(-1)!.targetPerSecond).toBe(20);
    expect(results.at(-1)!.sentPerSecond).toBeGreaterThan(5);
  });
});

describe("a token", () => {
  const tokens = () => gateway.headerBlocks.map((block) => /authorization: (.*)\r/.exec(block)?.[1]);

  test("is asked for at each connection", async () => {
    let asked = 0;
    start(frames(), { token: async () => `key-${++asked}`, headers: () => ({ "x-tenant": "a" }) });
    await someResults();
    gateway.closeStreams(1006);
    await expect.poll(() => gateway.headerBlocks.length).toBe(2);
    expect(tokens()).toEqual(["Bearer key-1", "Bearer key-2"]);
    expect(gateway.headerBlocks[0]).toContain("x-tenant: a");
  });

  test("that runs out while frames are sent is replaced by a new one", async () => {
    let asked = 0;
    gateway.behaviour.token = "key-1";
    start(frames(), { token: async () => `key-${++asked}` });
    await someResults();
    gateway.behaviour.token = "key-2";
    gateway.endStreams(16, "the%20token%20has%20run%20out");
    await expect.poll(() => gateway.headerBlocks.length).toBe(2);
    await live("websocket");
    await someResults();
    expect(tokens()).toEqual(["Bearer key-1", "Bearer key-2"]);
    expect(states.map((state) => state.name)).not.toContain("failed");
    expect(states.find((state) => state.name === "reconnecting")).toMatchObject({ attempt: 1, reason: "unauthenticated" });
  });

  test("that is refused at once is not tried again and again, but when asked to", async () => {
    let token = "stolen";
    gateway.behaviour.token = "key";
    start(frames(), { token: () => token });
    await expect.poll(() => client.state).toMatchObject({ name: "failed", reason: "unauthenticated", message: "the token has run out" });
    await new Promise((resolve) => setTimeout(resolve, 3 * POLICY.backoff.maxMs));
    expect(gateway.headerBlocks).toHaveLength(1);
    token = "key";
    client.retry();
    await live("websocket");
    await someResults();
  });

  test("that ran out and whose successor is refused, too, is the end", async () => {
    gateway.behaviour.token = "key-1";
    start(frames(), { token: () => "key-1" });
    await someResults();
    gateway.behaviour.token = "key-2";
    gateway.endStreams(16, "the%20token%20has%20run%20out");
    await expect.poll(() => client.state).toMatchObject({ name: "failed", reason: "unauthenticated" });
    expect(gateway.headerBlocks).toHaveLength(2);
  });

  test("whose supplier fails is asked for again", async () => {
    let asked = 0;
    gateway.behaviour.token = "key";
    const token = async () => {
      if (++asked <= 3) throw new Error("the token service is away");
      return "key";
    };
    start(frames(), { token });
    await expect.poll(() => states.some((state) => state.name === "reconnecting" && state.message.includes("token service"))).toBe(true);
    await live("websocket");
    await someResults();
  });
});

describe("a recording", () => {
  async function* pictures(count: number) {
    for (let picture = 0; picture < count; picture += 1) yield { image: new Uint8Array(50), timeMs: picture * 100 };
  }

  test("is analysed picture by picture, with faces followed", async () => {
    client = connect(gateway.url);
    const times: number[] = [];
    for await (const { timeMs, recognition } of client.analyse(pictures(5))) {
      times.push(timeMs);
      expect(recognition.faces[0]!.trackId).toBe(1n);
    }
    expect(times).toEqual([0, 100, 200, 300, 400]);
    expect(gateway.unary.map((request) => request.trackingState?.nextTrackId)).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect(gateway.unary.map((request) => request.captureTimeUs)).toEqual([1000n, 101_000n, 201_000n, 301_000n, 401_000n]);
  });

  test("waits for a server that is away, and misses nothing", async () => {
    client = connect(gateway.url, { policy: POLICY });
    gateway.behaviour.service = false;
    const waits: string[] = [];
    const times: number[] = [];
    const onWait = (failure: { kind: string }) => {
      waits.push(failure.kind);
      if (waits.length === 2) gateway.behaviour.service = true;
    };
    for await (const { timeMs } of client.analyse(pictures(3), { onWait })) times.push(timeMs);
    expect(waits).toEqual(["lost", "lost"]);
    expect(times).toEqual([0, 100, 200]);
  });

  test("ends when it is aborted", async () => {
    client = connect(gateway.url);
    const abort = new AbortController();
    await expect(async () => {
      for await (const _ of client.analyse(pictures(50), { signal: abort.signal })) abort.abort();
    }).rejects.toThrow();
    expect(gateway.unary.length).toBeLessThan(5);
  });
});

test("one picture is analysed by one call", async () => {
  client = connect(gateway.url);
  const { recognition } = await client.recognize(new Uint8Array(10));
  expect(recognition?.faces.map((face) => face.trackId)).toEqual([0n, 0n]);
});
