import { afterEach, expect, test, vi } from "vitest";

import { fitWithin, JpegEncoder } from "../src/encode.js";

afterEach(() => vi.unstubAllGlobals());

test.each([
  [1280, 720, 640, 640, 360],
  [720, 1280, 640, 360, 640],
  [640, 480, 640, 640, 480],
  [320, 240, 640, 320, 240],
  [4000, 1, 640, 640, 1],
])("%i x %i within %i is %i x %i", (width, height, maxSide, fittedWidth, fittedHeight) => {
  expect(fitWithin(width, height, maxSide)).toEqual({ width: fittedWidth, height: fittedHeight });
});

test("an OffscreenCanvas with a toBlob of its own, as Firefox has it, is encoded", async () => {
  class FirefoxCanvas {
    width = 1;
    height = 1;
    getContext() {
      return { drawImage: () => undefined };
    }
    convertToBlob({ type }: ImageEncodeOptions) {
      return Promise.resolve(new Blob([`${this.width}x${this.height} ${type}`]));
    }
    toBlob() {
      return Promise.resolve(new Blob());
    }
  }
  vi.stubGlobal("OffscreenCanvas", FirefoxCanvas);
  const image = await new JpegEncoder().encode({} as ImageBitmap, 1280, 720, { maxSide: 640, quality: 0.8 });
  expect(new TextDecoder().decode(image)).toBe("640x360 image/jpeg");
});
