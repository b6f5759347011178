import { describe, expect, test } from "vitest";

import type { Rect } from "../src/geometry.js";
import { FaceMotion } from "../src/motion.js";

const at = (x: number, y = 0.4): Rect => ({ x, y, width: 0.2, height: 0.3 });
const face = (box: Rect, number = 1) => ({ number, box });

describe("a face that moves evenly", () => {
  const PER_SECOND = 0.5;
  const place = (ms: number) => 0.1 + (PER_SECOND * ms) / 1000;

  /** Replies of 15 frames a second that arrive 40 ms after their frames; how far off the box is at each screen repaint. */
  function errors(still = false): number[] {
    const motion = new FaceMotion();
    motion.still = still;
    let newest = face(at(place(0)));
    const off: number[] = [];
    let taken = 0;
    for (let now = 40; now < 1500; now += 1000 / 60) {
      if (now >= taken + 40) {
        newest = face(at(place(taken)));
        motion.see([newest], taken, now);
        taken += 1000 / 15;
      }
      if (now > 500) off.push(motion.boxAt(newest, now).x - place(now));
    }
    return off;
  }

  test("is never further behind than it moves in a frame", () => {
    const oneFrame = PER_SECOND / 15;
    expect(Math.max(...errors().map(Math.abs))).toBeLessThan(oneFrame / 4);
  });

  test("is shown where it was seen to people who want no motion", () => {
    expect(Math.max(...errors(true).map(Math.abs))).toBeGreaterThan(PER_SECOND * 0.04);
  });

  test("glides: no step between repaints is larger than the movement makes", () => {
    const off = errors();
    const steps = off.slice(1).map((error, index) => Math.abs(error - off[index]!));
    expect(Math.max(...steps)).toBeLessThan(0.004);
  });
});

test("a face that stands still does not tremble with the noise of its box", () => {
  const motion = new FaceMotion();
  let newest = face(at(0.4));
  for (let frame = 0; frame < 30; frame += 1) {
    newest = face(at(0.4 + (frame % 2) * 0.0004));
    motion.see([newest], frame * 66, frame * 66 + 20);
  }
  expect(Math.abs(motion.boxAt(newest, 30 * 66 + 100).x - 0.4)).toBeLessThan(0.001);
});

test("a face that is not seen any more stops soon", () => {
  const motion = new FaceMotion();
  const newest = face(at(0.2));
  motion.see([face(at(0.1))], 0, 0);
  motion.see([newest], 100, 100);
  expect(motion.boxAt(newest, 250)).toEqual(motion.boxAt(newest, 5000));
});

test("a face that jumps is there at once", () => {
  const motion = new FaceMotion();
  const newest = face(at(0.7));
  motion.see([face(at(0.1))], 0, 0);
  motion.see([newest], 700, 700);
  expect(motion.boxAt(newest, 700)).toEqual(at(0.7));
});

test("a reply to an older frame changes nothing", () => {
  const motion = new FaceMotion();
  const newest = face(at(0.3));
  motion.see([newest], 100, 120);
  motion.see([face(at(0.1))], 50, 130);
  expect(motion.boxAt(newest, 200)).toEqual(at(0.3));
});

test("a face is moving until it has gone as far as is known", () => {
  const motion = new FaceMotion();
  motion.see([face(at(0.1))], 0, 0);
  expect(motion.moving(50)).toBe(false);
  motion.see([face(at(0.2))], 100, 120);
  expect(motion.moving(130)).toBe(true);
  expect(motion.moving(240)).toBe(true);
  expect(motion.moving(260)).toBe(false);
  motion.still = true;
  expect(motion.moving(130)).toBe(false);
});
