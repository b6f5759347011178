import { describe, expect, test } from "vitest";

import { EXPRESSIONS } from "../src/expression.js";
import { lineEnds } from "../src/line-ends.js";
import { EXPRESSION_LINES, luminance } from "../src/palette.js";

describe("the lines of a timeline", () => {
  test("differ by more than colour", () => {
    const shapes = EXPRESSION_LINES.map(({ width, dash }) => JSON.stringify([width, dash]));
    expect(new Set(shapes).size).toBe(EXPRESSIONS.length);
  });

  test.each([
    ["light", "#ffffff"],
    ["dark", "#171b23"],
  ] as const)("have names that can be read on %s ground", (scheme, ground) => {
    for (const line of EXPRESSION_LINES) {
      const [bright, dim] = [luminance(line[scheme]), luminance(ground)].sort((a, b) => b - a) as [number, number];
      expect((bright + 0.05) / (dim + 0.05), line[scheme]).toBeGreaterThanOrEqual(4.5);
    }
  });
});

describe("names at the ends of lines", () => {
  test("are where the lines end; those near zero and those without an end have none", () => {
    expect(lineEnds([0.5, 0.05, null, undefined, 0.25], 100, 14)).toEqual([
      { index: 0, y: 50 },
      { index: 4, y: 75 },
    ]);
  });

  test("cover neither each other nor the edges, and keep the order of their lines", () => {
    for (const values of [[1, 1, 1], [0.5, 0.48, 0.52, 0.1], [0.11, 0.12, 0.13, 0.14, 0.15], [1, 0.99, 0.1, 0.1]]) {
      const ends = lineEnds(values, 100, 14);
      expect(ends).toHaveLength(values.length);
      ends.forEach(({ index, y }, place) => {
        expect(y).toBeGreaterThanOrEqual(0);
        expect(y).toBeLessThanOrEqual(100);
        if (place === 0) return;
        const before = ends[place - 1]!;
        expect(y - before.y).toBeGreaterThanOrEqual(14 - 1e-9);
        expect(values[index]!).toBeLessThanOrEqual(values[before.index]!);
      });
    }
  });
});
