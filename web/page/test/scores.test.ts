import { create } from "@bufbuild/protobuf";
import { Expression, ExpressionScoresSchema, RecognitionSchema } from "@emotion-recognizer/client";
import { describe, expect, test } from "vitest";

import { ClipResults } from "../src/clip-results.js";
import { clock } from "../src/clip-controls.js";
import { fileName } from "../src/download.js";
import { faceViews, type FaceView } from "../src/face-view.js";
import { ScoreHistory } from "../src/score-history.js";
import { ScoreLog, toCsv, toJson } from "../src/score-log.js";
import { timelineText } from "../src/timeline.js";

function faces(happiness: number, track = 1n, x = 0.25): FaceView[] {
  return faceViews(
    create(RecognitionSchema, {
      faces: [
        {
          trackId: track,
          detectionScore: 0.9,
          box: { x, y: 0.5, width: 0.125, height: 0.25 },
          expression: Expression.HAPPINESS,
          scores: create(ExpressionScoresSchema, { happiness, neutral: 1 - happiness }),
        },
      ],
    }),
  );
}
const unclassified = faceViews(create(RecognitionSchema, { faces: [{ trackId: 2n, box: { x: 0, y: 0, width: 0.5, height: 0.5 } }] }));

describe("the log of scores", () => {
  test("is written as CSV, with empty fields where nothing is known", () => {
    const log = new ScoreLog();
    log.add([...faces(0.75), ...unclassified], 1.5);
    expect(toCsv(log.rows())).toBe(
      "time_seconds,face,detection_score,box_x,box_y,box_width,box_height,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt\r\n" +
        "1.5,1,0.9,0.25,0.5,0.125,0.25,0.25,0.75,0,0,0,0,0,0\r\n" +
        "1.5,2,0,0,0,0.5,0.5,,,,,,,,\r\n",
    );
  });

  test("is written as JSON that says what it means", () => {
    const log = new ScoreLog();
    log.add([...faces(0.75), ...unclassified], 2);
    const file = JSON.parse(toJson(log.rows()));
    expect(file.note).toContain("not what a person feels");
    expect(file.rows[0]).toMatchObject({ time: 2, face: 1, box: { x: 0.25 }, scores: { happiness: 0.75, neutral: 0.25 } });
    expect(file.rows[1].scores).toBeNull();
  });

  test("has ten rows a second for a face at most, and never more than it may", () => {
    const log = new ScoreLog();
    const face = faces(0.5);
    for (let frame = 0; frame < 300; frame += 1) log.add(face, frame / 30);
    expect(log.length).toBe(100);
    for (let row = 0; row < 150_000; row += 1) log.add(face, 100 + row);
    expect(log.length).toBeLessThanOrEqual(100_000);
    expect([...log.rows()].at(-1)!.time).toBe(100 + 149_999);
    log.clear();
    expect([...log.rows()]).toEqual([]);
  });
});

describe("the last minute of a face", () => {
  test("forgets what is older, and faces that are gone", () => {
    const history = new ScoreHistory();
    for (let time = 0; time < 200; time += 0.1) history.add(faces(0.5), time);
    const { times, scores } = history.of(1)!;
    expect(times[0]).toBeGreaterThan(130);
    expect(times.length).toBeLessThan(360);
    expect(scores).toHaveLength(8);
    expect(scores[1]).toHaveLength(times.length);
    history.add([], 300);
    expect(history.of(1)).toBeUndefined();
  });

  test("has a gap where the face was away", () => {
    const history = new ScoreHistory();
    history.add(faces(0.5), 1);
    history.add(faces(0.7), 9);
    expect(history.of(1)!.scores[1]!.map((score) => score && Math.round(score * 10))).toEqual([5, null, 7]);
  });

  test("is told in words", () => {
    const history = new ScoreHistory();
    history.add(faces(0.8), 1);
    expect(timelineText({ columns: history.of(1), name: "face 1" })).toBe("Scores over time, face 1. On average: Happiness 80%, Neutral 20%");
    expect(timelineText({ columns: undefined, name: "no face" })).toBe("Scores over time: none yet");
  });
});

describe("a clip", () => {
  const clip = new ClipResults(0.1);
  clip.add({ time: 0, faces: faces(0.2, 1n, 0) });
  clip.add({ time: 0.1, faces: faces(0.4, 1n, 0.1) });
  clip.add({ time: 0.2, faces: faces(0.6, 7n, 0.5) });

  test("knows its faces at each moment, and between moments", () => {
    expect(clip.at(0)[0]!.box.x).toBe(0);
    expect(clip.at(0.05)[0]!.box.x).toBeCloseTo(0.05);
    expect(clip.at(0.1)[0]!.scores!.happiness).toBeCloseTo(0.4);
    expect(clip.at(0.15).map((face) => face.number)).toEqual([1]);
    expect(clip.at(0.25).map((face) => face.number)).toEqual([7]);
  });

  test("knows nothing where it is not analysed yet", () => {
    expect(clip.at(5)).toEqual([]);
    expect(new ClipResults(0.1).at(0)).toEqual([]);
  });

  test("has a timeline for each face", () => {
    expect(clip.numbers()).toEqual([1, 7]);
    expect(clip.of(7)).toMatchObject({ times: [0, 0.1, 0.2] });
    expect(clip.of(7).scores[1]!.slice(0, 2)).toEqual([null, null]);
  });
});

test("times and names of files are readable", () => {
  expect([0, 9.96, 65.34].map(clock)).toEqual(["0:00.0", "0:10.0", "1:05.3"]);
  expect(fileName("scores", "csv", new Date(2026, 0, 31, 14, 5, 9))).toBe("scores 2026-01-31 14-05-09.csv");
});
