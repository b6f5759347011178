import { expect, test } from "vitest";

import { fitWithin } from "../src/encode.js";

test.each([
  [1280, 720, 640, 640, 360],
  [720, 1280, 640, 360, 640],
  [640, 480, 640, 640, 480],
  [320, 240, 640, 320, 240],
  [4000, 1, 640, 640, 1],
])("%i x %i within %i is %i x %i", (width, height, maxSide, fittedWidth, fittedHeight) => {
  expect(fitWithin(width, height, maxSide)).toEqual({ width: fittedWidth, height: fittedHeight });
});
