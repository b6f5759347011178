import { describe, expect, test } from "vitest";

import { FrameErrorCode } from "../src/gen/emotion/v1/emotion_pb.js";
import type { Failure } from "../src/failure.js";
import { DEFAULT_POLICY, Session } from "../src/session.js";
import { seededRandom } from "./random.js";

const LOST: Failure = { kind: "lost", reason: "server-away", message: "gone" };

function started(policy = {}): Session {
  const session = new Session({ ...DEFAULT_POLICY, ...policy }, () => 0.5);
  session.start(0);
  return session;
}

function streaming(): Session {
  const session = started();
  session.opened(1, 10);
  return session;
}

function unary(): Session {
  const session = started();
  session.ended(1, LOST, 10);
  session.answered(session.send(20)!.frameId, 30);
  return session;
}

describe("frames of a stream", () => {
  test("wait until the WebSocket is open", () => {
    const session = started();
    expect(session.state(0)).toEqual({ name: "connecting" });
    expect(session.send(1)).toBeUndefined();
    session.opened(1, 10);
    expect(session.state(10)).toEqual({ name: "live", transport: "websocket" });
    expect(session.send(11)).toEqual({ frameId: 1, via: "websocket" });
  });

  test("are two in flight at most", () => {
    const session = streaming();
    expect([session.send(1), session.send(2), session.send(3)].map((ticket) => ticket?.frameId)).toEqual([1, 2, undefined]);
    session.answered(1, 4);
    expect(session.send(5)?.frameId).toBe(3);
    expect(session.canSend(6)).toBe(false);
  });

  test("have round trips of their own", () => {
    const session = streaming();
    session.send(100);
    session.send(120);
    expect(session.answered(1, 130)).toBe(30);
    expect(session.answered(2, 135)).toBe(15);
  });

  test("are answered once: unknown and repeated answers count for nothing", () => {
    const session = streaming();
    session.send(1);
    session.send(2);
    expect(session.answered(9, 3)).toBeUndefined();
    expect(session.answered(0, 3)).toBeUndefined();
    expect(session.answered(1, 3)).toBe(2);
    expect(session.answered(1, 4)).toBeUndefined();
    expect(session.inFlight).toBe(1);
  });

  test("are not waited for once a later one is answered", () => {
    const session = streaming();
    session.send(1);
    session.send(2);
    session.answered(2, 3);
    expect(session.inFlight).toBe(0);
    expect(session.answered(1, 4)).toBeUndefined();
  });

  test("keep these rules whatever happens, in whatever order", () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const random = seededRandom(seed);
      const session = new Session(DEFAULT_POLICY, random);
      session.start(0);
      let now = 0;
      let last = 0;
      for (let step = 0; step < 300; step += 1) {
        now += random() * 400;
        const stream = session.stream ?? 0;
        const chance = random();
        if (chance < 0.4) {
          const ticket = session.send(now);
          if (ticket) expect(ticket.frameId).toBeGreaterThan(last);
          last = ticket?.frameId ?? last;
        } else if (chance < 0.65) session.answered(Math.max(1, last - Math.floor(random() * 4)), now);
        else if (chance < 0.75) session.opened(stream, now);
        else if (chance < 0.82) session.ended(stream, LOST, now);
        else if (chance < 0.86) session.unaryFailed(last, LOST, now);
        else session.tick(now);
        expect(session.inFlight).toBeLessThanOrEqual(2);
        const state = session.state(now);
        if (state.name === "live" && state.transport === "unary") expect(session.inFlight).toBeLessThanOrEqual(1);
        if (state.name !== "live" && state.name !== "stopped") expect(session.wakeAt(now)).toBeDefined();
      }
    }
  });
});

describe("a lost connection", () => {
  test("is made again after a wait with a countdown", () => {
    const session = streaming();
    session.send(100);
    session.ended(1, { kind: "lost", reason: "going-away", message: "restarting" }, 1000);
    const state = session.state(1000);
    expect(state).toEqual({ name: "reconnecting", attempt: 1, retryInMs: 1000, reason: "going-away", message: "restarting" });
    expect(session.inFlight).toBe(0);
    const wakeAt = session.wakeAt(1000)!;
    expect(wakeAt - 1000).toBeGreaterThanOrEqual(250);
    expect(wakeAt - 1000).toBeLessThanOrEqual(750);
    session.tick(wakeAt);
    expect(session.stream).toBe(2);
    expect(session.state(wakeAt)).toMatchObject({ name: "reconnecting", retryInMs: 0 });
    session.opened(2, wakeAt + 5);
    expect(session.state(wakeAt + 5)).toEqual({ name: "live", transport: "websocket" });
  });

  test("counts attempts and waits longer until a frame is answered", () => {
    const session = started({ transport: "websocket" });
    let now = 0;
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      session.ended(session.stream!, LOST, now);
      expect(session.state(now)).toMatchObject({ name: "reconnecting", attempt });
      const from = now;
      while (session.stream === undefined) session.tick((now = session.wakeAt(now)!));
      waits.push(now - from);
    }
    expect(waits[7]).toBe(10_000);
    expect(waits.every((wait) => wait >= 250 && wait <= 10_000)).toBe(true);
    session.opened(session.stream!, now);
    session.answered(session.send(now)!.frameId, now + 1);
    session.ended(session.stream!, LOST, now + 2);
    expect(session.state(now + 2)).toMatchObject({ attempt: 1 });
  });

  test("wakes at every full second of the countdown", () => {
    const session = started({ transport: "websocket", backoff: { minMs: 2500, maxMs: 2500 } });
    session.ended(1, LOST, 0);
    expect(session.state(0)).toMatchObject({ retryInMs: 3000 });
    expect(session.wakeAt(0)).toBe(500);
    expect(session.state(500)).toMatchObject({ retryInMs: 2000 });
    expect(session.wakeAt(500)).toBe(1500);
    expect(session.wakeAt(1500)).toBe(2500);
  });

  test("can be retried at once", () => {
    const session = streaming();
    session.ended(1, LOST, 100);
    session.retry(101);
    expect(session.stream).toBe(2);
  });

  test("is noticed when answers stay away", () => {
    const session = streaming();
    session.send(1000);
    session.send(5000);
    session.tick(10_999);
    expect(session.state(10_999).name).toBe("live");
    expect(session.wakeAt(10_999)).toBe(11_000);
    session.tick(11_000);
    expect(session.stream).toBeUndefined();
    expect(session.state(11_000)).toMatchObject({ name: "reconnecting", reason: "no-reply" });
  });

  test("is not suspected while nothing is being asked", () => {
    const session = streaming();
    session.tick(1_000_000);
    expect(session.state(1_000_000).name).toBe("live");
    expect(session.wakeAt(1_000_000)).toBeUndefined();
  });

  test("that is over says nothing to a later one", () => {
    const session = streaming();
    session.ended(1, LOST, 100);
    session.retry(101);
    session.opened(1, 102);
    session.ended(1, LOST, 103);
    expect(session.stream).toBe(2);
    expect(session.canSend(104)).toBe(false);
  });

  test("that was refused is made again only when asked for", () => {
    const session = streaming();
    session.ended(1, { kind: "refused", reason: "unauthenticated", message: "no token" }, 100);
    expect(session.state(100)).toEqual({ name: "failed", reason: "unauthenticated", message: "no token" });
    expect(session.wakeAt(100)).toBeUndefined();
    session.retry(200);
    expect(session.stream).toBe(2);
  });
});

describe("where WebSockets are blocked", () => {
  test.each(["fails", "does not open in time"])("frames go by unary calls: the WebSocket %s", (how) => {
    const session = started();
    if (how === "fails") session.ended(1, LOST, 10);
    else session.tick(4000);
    expect(session.stream).toBeUndefined();
    expect(session.state(4000)).toEqual({ name: "connecting" });
    const ticket = session.send(4001)!;
    expect(ticket.via).toBe("unary");
    expect(session.answered(ticket.frameId, 4030)).toBe(29);
    expect(session.state(4030)).toEqual({ name: "live", transport: "unary" });
  });

  test("unary calls go one at a time, as each carries the tracks of the one before", () => {
    const session = unary();
    expect(session.send(40)?.via).toBe("unary");
    expect(session.canSend(41)).toBe(false);
  });

  test("the WebSocket is tried now and then, and taken when it opens", () => {
    const session = unary();
    const times: number[] = [];
    let now = 30;
    for (let probe = 0; probe < 4; probe += 1) {
      while (session.stream === undefined) session.tick((now = session.wakeAt(now)!));
      times.push(now);
      expect(session.state(now)).toEqual({ name: "live", transport: "unary" });
      if (probe < 3) session.ended(session.stream, LOST, now + 1);
    }
    expect(times).toEqual([2030, 12_030, 72_030, 132_030]);
    const late = session.send(now)!;
    session.opened(session.stream!, now + 2);
    expect(session.state(now + 2)).toEqual({ name: "live", transport: "websocket" });
    expect(session.answered(late.frameId, now + 3)).toBeUndefined();
    expect(session.send(now + 4)?.via).toBe("websocket");
  });

  test("a trial that hangs is given up", () => {
    const session = unary();
    session.tick(2030);
    expect(session.stream).toBe(2);
    session.tick(6030);
    expect(session.stream).toBeUndefined();
    expect(session.state(6030)).toEqual({ name: "live", transport: "unary" });
  });

  test("a frame's own error leaves the session as it is, after a pause if it asks for one", () => {
    const session = unary();
    const ticket = session.send(100)!;
    const away: Failure = { kind: "frame", code: FrameErrorCode.DETECTOR_UNAVAILABLE, message: "away", pauseMs: 1000 };
    expect(session.unaryFailed(ticket.frameId, away, 110)).toBe(true);
    expect(session.state(110)).toEqual({ name: "live", transport: "unary" });
    expect(session.canSend(1109)).toBe(false);
    expect(session.wakeAt(110)).toBe(1110);
    expect(session.canSend(1110)).toBe(true);
  });

  test("a failed call means that the server is away; the WebSocket comes first again", () => {
    const session = unary();
    const ticket = session.send(100)!;
    session.unaryFailed(ticket.frameId, LOST, 110);
    expect(session.state(110)).toMatchObject({ name: "reconnecting", attempt: 1 });
    session.tick(session.wakeAt(110)!);
    expect(session.stream).toBe(2);
  });

  test("a server that answers neither way is away", () => {
    const session = started();
    session.ended(1, LOST, 10);
    session.unaryFailed(session.send(20)!.frameId, LOST, 30);
    expect(session.state(30)).toMatchObject({ name: "reconnecting", attempt: 1, reason: "server-away" });
  });

  test("without a frame to try with, the WebSocket is tried again", () => {
    const session = started();
    session.ended(1, LOST, 10);
    session.tick(session.wakeAt(10)!);
    expect(session.state(4010)).toMatchObject({ name: "reconnecting" });
  });
});

describe("the end", () => {
  test("of a session leaves nothing to do", () => {
    const session = streaming();
    session.send(1);
    session.stop();
    expect(session.state(2)).toEqual({ name: "stopped" });
    expect(session.stream).toBeUndefined();
    expect(session.wakeAt(2)).toBeUndefined();
  });

  test("of the frames comes after the last answer", () => {
    const session = streaming();
    session.send(1);
    session.finish();
    expect(session.canSend(2)).toBe(false);
    expect(session.state(2).name).toBe("live");
    session.answered(1, 3);
    expect(session.state(3).name).toBe("stopped");
  });
});
