import { create } from "@bufbuild/protobuf";
import { Expression, ExpressionScoresSchema, RecognitionSchema, type ResultEvent } from "@emotion-recognizer/client";
import { describe, expect, test } from "vitest";

import { facesText } from "../src/announcer.js";
import { EXPRESSIONS, expressionName, labelText, percent } from "../src/expression.js";
import { faceViews } from "../src/face-view.js";
import { luminance, textOn, trackColour } from "../src/palette.js";
import { statusText } from "../src/status-line.js";
import { cameraTrouble } from "../src/trouble.js";

const scores = create(ExpressionScoresSchema, { happiness: 0.926, neutral: 0.074 });

describe("expressions", () => {
  test("have the names of the contract, in its order", () => {
    expect(EXPRESSIONS.map((_, index) => Expression[index + 1]!.toLowerCase())).toEqual([...EXPRESSIONS]);
    expect(expressionName(Expression.CONTEMPT)).toBe("contempt");
    expect(expressionName(Expression.UNSPECIFIED)).toBe("unclassified");
  });

  test("are labelled with whole percents", () => {
    expect(labelText(Expression.HAPPINESS, scores)).toBe("Happiness 93%");
    expect([0, 0.004, 0.005, 1, 1.2, -1].map(percent)).toEqual(["0%", "0%", "1%", "100%", "100%", "0%"]);
  });

  test("that are missing are said to be missing", () => {
    expect(labelText(Expression.UNSPECIFIED, undefined)).toBe("Not classified");
    expect(labelText(Expression.HAPPINESS, undefined)).toBe("Not classified");
  });
});

describe("faces", () => {
  const recognition = create(RecognitionSchema, {
    faces: [{ trackId: 9n, expression: Expression.HAPPINESS, scores }, { trackId: 2n }],
  });

  test("keep the order and the colours of their tracks", () => {
    expect(faceViews(recognition).map((face) => [face.number, face.colour])).toEqual([
      [2, trackColour(2)],
      [9, trackColour(9)],
    ]);
  });

  test("without tracks are numbered by their places", () => {
    const untracked = create(RecognitionSchema, { faces: [{}, {}] });
    expect(faceViews(untracked).map((face) => [face.trackId, face.number])).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });

  test("are told in words", () => {
    expect(facesText(faceViews(recognition))).toBe("2 faces: not classified, happiness");
    expect(facesText([])).toBe("No face in view");
  });
});

test("text on every colour of a track has a contrast of 4.5 at least", () => {
  for (let track = 1; track <= 7; track += 1) {
    const ground = luminance(trackColour(track));
    const text = luminance(textOn(trackColour(track)));
    expect((Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05)).toBeGreaterThanOrEqual(4.5);
  }
});

test("the status line tells transport, rate, round trip and dropped frames", () => {
  const result = { framesPerSecond: 29.7, roundTripMs: 14.2, dropped: 3 } as ResultEvent;
  expect(statusText({ name: "live", transport: "websocket" }, result)).toBe("Live · WebSocket · 30 frames/s · 14 ms · 3 dropped");
  expect(statusText({ name: "reconnecting", attempt: 2, retryInMs: 3000, reason: "server-away", message: "" }, undefined)).toBe(
    "Reconnecting in 3 s",
  );
});

test.each([
  ["NotAllowedError", true, "camera-denied"],
  ["NotFoundError", true, "camera-missing"],
  ["OverconstrainedError", true, "camera-missing"],
  ["NotReadableError", true, "camera-busy"],
  ["TypeError", false, "insecure-origin"],
])("%s in a page that is secure (%s) is %s", (name, secure, code) => {
  expect(cameraTrouble(Object.assign(new Error("trouble"), { name }), secure)).toBe(code);
});
