import { expect, test } from "vitest";

import { Backoff } from "../src/backoff.js";
import { seededRandom } from "./random.js";

const LIMITS = { minMs: 250, maxMs: 10_000 };

test("waits stay within their limits and grow to the longest", () => {
  for (let seed = 0; seed < 100; seed += 1) {
    const backoff = new Backoff(LIMITS, seededRandom(seed));
    const waits = Array.from({ length: 60 }, () => backoff.next());
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(LIMITS.minMs);
    expect(Math.max(...waits)).toBe(LIMITS.maxMs);
    waits.slice(1).forEach((wait, index) => expect(wait).toBeLessThanOrEqual(Math.max(waits[index]!, 250) * 3));
  }
});

test("the first wait is short, and differs between clients", () => {
  const firsts = Array.from({ length: 50 }, (_, seed) => new Backoff(LIMITS, seededRandom(seed)).next());
  expect(Math.max(...firsts)).toBeLessThanOrEqual(750);
  expect(new Set(firsts.map(Math.round)).size).toBeGreaterThan(30);
});

test("a reset makes waits short again", () => {
  const backoff = new Backoff(LIMITS, () => 0.999);
  for (let attempt = 0; attempt < 10; attempt += 1) backoff.next();
  backoff.reset();
  expect(backoff.next()).toBeLessThanOrEqual(750);
});
