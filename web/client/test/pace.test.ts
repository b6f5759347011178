import { expect, test } from "vitest";

import { Pace } from "../src/pace.js";
import { Rate } from "../src/rate.js";

function framesTaken(maxPerSecond: number, cameraPerSecond: number, jitterMs = 0): number {
  const pace = new Pace(maxPerSecond);
  let taken = 0;
  for (let frame = 0; frame < cameraPerSecond * 10; frame += 1) {
    const now = (frame * 1000) / cameraPerSecond + (frame % 2 ? jitterMs : -jitterMs);
    if (pace.waitMs(now) > 0) continue;
    pace.took(now);
    taken += 1;
  }
  return taken / 10;
}

test("a camera at the rate gives all its frames, even if it jitters", () => {
  expect(framesTaken(30, 30)).toBe(30);
  expect(framesTaken(30, 30, 4)).toBeGreaterThan(29);
});

test("a faster camera is held to the rate", () => {
  expect(framesTaken(30, 60)).toBeCloseTo(30, 0);
  expect(framesTaken(15, 120)).toBeLessThanOrEqual(15.5);
});

test("the rate counts the last two seconds", () => {
  const rate = new Rate();
  expect(rate.perSecond(0)).toBe(0);
  for (let now = 0; now <= 5000; now += 50) rate.count(now);
  expect(rate.perSecond(5000)).toBeCloseTo(20, 1);
  expect(rate.perSecond(9000)).toBe(0);
});
