import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { AdaptiveRate } from "../src/adaptive-rate.js";
import { TimingsSchema } from "../src/gen/emotion/v1/emotion_pb.js";

/** Answers frames at the rate that is allowed, for so many seconds, each having waited `waitMs`. */
function answer(rate: AdaptiveRate, seconds: number, waitMs: number, from = 0): number {
  let now = from;
  while (now < from + seconds * 1000) {
    rate.answered(create(TimingsSchema, { waitUs: waitMs * 1000 }), now);
    now += 1000 / rate.perSecond;
  }
  return now;
}

test("as many frames as are allowed are sent while none waits", () => {
  const rate = new AdaptiveRate(30);
  answer(rate, 10, 1);
  expect(rate.perSecond).toBe(30);
});

test("frames that wait behind each other lower the rate, but not below what looks fluent", () => {
  const rate = new AdaptiveRate(30);
  const now = answer(rate, 20, 80);
  expect(rate.perSecond).toBeLessThan(16);
  answer(rate, 60, 5000, now);
  expect(rate.perSecond).toBe(12);
});

test("frames that are dropped lower the rate as far as it takes", () => {
  const rate = new AdaptiveRate(30);
  for (let now = 0; now < 30_000; now += 250) rate.dropped(now);
  expect(rate.perSecond).toBe(1);
});

test("the rate comes back once nothing waits", () => {
  const rate = new AdaptiveRate(30);
  for (let now = 0; now < 5_000; now += 250) rate.dropped(now);
  expect(rate.perSecond).toBeLessThan(10);
  answer(rate, 20, 1, 5_000);
  expect(rate.perSecond).toBe(30);
});

test("a lower limit counts at once", () => {
  const rate = new AdaptiveRate(30);
  rate.most = 5;
  expect(rate.perSecond).toBe(5);
});
