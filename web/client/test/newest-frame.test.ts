import { expect, test } from "vitest";

import { NewestFrame } from "../src/newest-frame.js";

test("the newest frame wins, and is taken once", async () => {
  const slot = new NewestFrame();
  slot.put(10);
  slot.put(20);
  slot.put(30);
  expect(await slot.take()).toBe(30);
  let second: number | undefined;
  const taking = slot.take().then((atMs) => (second = atMs));
  await Promise.resolve();
  expect(second).toBeUndefined();
  slot.put(40);
  await taking;
  expect(second).toBe(40);
});

test("a closed slot gives nothing, waiting or not", async () => {
  const slot = new NewestFrame();
  const taking = slot.take();
  slot.close();
  expect(await taking).toBeUndefined();
  slot.put(10);
  expect(await slot.take()).toBeUndefined();
});
