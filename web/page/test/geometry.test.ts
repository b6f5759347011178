import { describe, expect, test } from "vitest";

import { boxOnStage, containRect, labelOnStage } from "../src/geometry.js";

describe("object-fit: contain", () => {
  test("leaves bars beside a narrow picture and above a wide one", () => {
    expect(containRect({ width: 100, height: 100 }, { width: 300, height: 100 })).toEqual({ x: 100, y: 0, width: 100, height: 100 });
    expect(containRect({ width: 640, height: 320 }, { width: 320, height: 320 })).toEqual({ x: 0, y: 80, width: 320, height: 160 });
  });

  test("enlarges small pictures, and a turned phone swaps the sides", () => {
    expect(containRect({ width: 64, height: 48 }, { width: 640, height: 480 })).toEqual({ x: 0, y: 0, width: 640, height: 480 });
    expect(containRect({ width: 48, height: 64 }, { width: 640, height: 480 })).toEqual({ x: 140, y: 0, width: 360, height: 480 });
  });

  test("of no picture is nothing", () => {
    expect(containRect({ width: 0, height: 0 }, { width: 10, height: 10 })).toEqual({ x: 0, y: 0, width: 0, height: 0 });
  });
});

describe("a box", () => {
  const shown = { x: 100, y: 50, width: 400, height: 200 };
  const box = { x: 0.1, y: 0.25, width: 0.2, height: 0.5 };

  test("is where the face is", () => {
    expect(boxOnStage(box, shown, false)).toEqual({ x: 140, y: 100, width: 80, height: 100 });
  });

  test("is on the other side of a mirror", () => {
    const mirrored = boxOnStage(box, shown, true);
    expect(mirrored.x).toBeCloseTo(100 + 0.7 * 400);
    expect(mirrored).toMatchObject({ y: 100, height: 100 });
    expect(mirrored.width).toBeCloseTo(80);
  });

  test("scales with the stage, whatever the pixel ratio", () => {
    for (const ratio of [0.5, 1, 1.5, 2, 3]) {
      const stage = { width: 500 * ratio, height: 300 * ratio };
      const rect = boxOnStage(box, containRect({ width: 1280, height: 720 }, stage), false);
      expect(rect.x / ratio).toBeCloseTo(50);
      expect(rect.width / ratio).toBeCloseTo(100);
    }
  });
});

describe("a label", () => {
  const label = { width: 60, height: 20 };
  const stage = { width: 300, height: 200 };

  test("sits on its box", () => {
    expect(labelOnStage({ x: 50, y: 80, width: 40, height: 40 }, label, stage, [])).toMatchObject({ x: 50, y: 60 });
  });

  test("goes below at the upper edge, inside if there is no room either, and never off the stage", () => {
    expect(labelOnStage({ x: 50, y: 5, width: 40, height: 40 }, label, stage, [])).toMatchObject({ y: 45 });
    expect(labelOnStage({ x: 50, y: 5, width: 40, height: 190 }, label, stage, [])).toMatchObject({ y: 5 });
    expect(labelOnStage({ x: 280, y: 80, width: 40, height: 40 }, label, stage, [])).toMatchObject({ x: 240 });
    expect(labelOnStage({ x: -30, y: -30, width: 40, height: 400 }, label, stage, [])).toMatchObject({ x: 0, y: 0 });
  });

  test("leaves other labels readable", () => {
    const first = labelOnStage({ x: 50, y: 80, width: 40, height: 40 }, label, stage, []);
    expect(labelOnStage({ x: 95, y: 82, width: 40, height: 40 }, label, stage, [first])).toMatchObject({ x: 95, y: 122 });
  });
});
