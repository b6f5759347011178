import type { Recognition } from "@emotion-recognizer/client";

import { expressionName, labelText } from "./expression.js";
import type { Rect } from "./geometry.js";
import { trackColour } from "./palette.js";

/** A point in fractions of the picture. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A face as the page shows it. */
export interface FaceView {
  /** The track; 0 where faces are not tracked. */
  readonly trackId: number;
  /** What the face is called: its track, or its place among untracked faces. */
  readonly number: number;
  readonly colour: string;
  /** In fractions of the picture. */
  readonly box: Rect;
  /** Eyes, tip of the nose, corners of the mouth; empty if they are not shown. */
  readonly landmarks: readonly Point[];
  readonly detectionScore: number;
  readonly expression: ReturnType<typeof expressionName>;
  readonly label: string;
  readonly scores: Recognition["faces"][number]["scores"];
}

/** The faces of a picture, in the order of their numbers, so that they keep their places. */
export function faceViews(recognition: Recognition): FaceView[] {
  return recognition.faces
    .map((face, index) => {
      const trackId = Number(face.trackId);
      const number = trackId || index + 1;
      return {
        trackId,
        number,
        colour: trackColour(number),
        box: face.box ?? { x: 0, y: 0, width: 0, height: 0 },
        landmarks: face.landmarks,
        detectionScore: face.detectionScore,
        expression: expressionName(face.expression),
        label: labelText(face.expression, face.scores),
        scores: face.scores,
      };
    })
    .sort((a, b) => a.number - b.number);
}
