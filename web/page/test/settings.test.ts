import { expect, test } from "vitest";

import { clientOptions, DEFAULT_SETTINGS, settingsOf } from "../src/settings.js";
import { stagesOf, STAGES } from "../src/statistics.js";
import { allowCameraText, connectionTrouble, missingFeatures, screenTrouble } from "../src/trouble.js";
import { create } from "@bufbuild/protobuf";
import { TimingsSchema } from "@emotion-recognizer/client";

test("settings survive being stored", () => {
  const settings = { ...DEFAULT_SETTINGS, framesPerSecond: 15, landmarks: true, mirror: false, cameraId: "left" };
  expect(settingsOf(JSON.parse(JSON.stringify(settings)))).toEqual(settings);
});

test.each([null, undefined, 7, "x", [], { framesPerSecond: "many", quality: 7, maxSide: NaN, landmarks: 1, cameraId: 3 }])(
  "what is stored wrongly takes its default: %j",
  (stored) => expect(settingsOf(stored)).toEqual(DEFAULT_SETTINGS),
);

test("the stages of a round trip are the whole of it", () => {
  const timings = create(TimingsSchema, { waitUs: 1000, decodeUs: 500, detectUs: 2000, classifyUs: 1500, totalUs: 6000 });
  const stages = stagesOf({ timings, roundTripMs: 20 });
  expect(stages).toEqual({ waiting: 1, decoding: 0.5, detecting: 2, classifying: 1.5, other: 1, network: 14 });
  expect(STAGES.reduce((sum, stage) => sum + stages[stage], 0)).toBe(20);
  expect(stagesOf({ timings: undefined, roundTripMs: 20 }).network).toBe(20);
});

test("each browser is told its own way to allow the camera", () => {
  const agents = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36",
    "something else",
  ];
  const texts = agents.map(allowCameraText);
  expect(new Set(texts).size).toBe(agents.length);
  for (const text of texts) expect(text).toContain("Then try again.");
});

test("what a browser lacks is named", () => {
  expect(missingFeatures({ fetch: 1, ReadableStream: 1, createImageBitmap: 1, ResizeObserver: 1, BigInt: 1 })).toEqual(["WebSocket"]);
});

test("a screen that is not shared is no camera's trouble", () => {
  expect(screenTrouble(new DOMException("", "NotAllowedError"), true)).toBe("screen-denied");
  expect(screenTrouble(new DOMException("", "NotAllowedError"), false)).toBe("insecure-origin");
  expect(screenTrouble(new TypeError(), true)).toBe("unsupported-browser");
});

test("each end of a connection has its own words", () => {
  const reasons = ["server-away", "going-away", "no-reply", "session-limit", "unauthenticated", "refused"] as const;
  expect(reasons.map(connectionTrouble)).toEqual(["server-away", "reconnecting", "reconnecting", "session-limit", "signed-out", "refused"]);
});

test("the server is told what the settings say", () => {
  const settings = { ...DEFAULT_SETTINGS, framesPerSecond: 10, minDetectionScore: 0.7, landmarks: true };
  expect(clientOptions(settings)).toMatchObject({
    maxFramesPerSecond: 10,
    encode: { maxSide: 640, quality: 0.75 },
    recognize: { minDetectionScore: 0.7, landmarks: true, smoothingSeconds: 0.3 },
  });
});
