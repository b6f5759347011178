import type { FaceView } from "./face-view.js";
import { boxOnStage, containRect, labelOnStage, type Rect, type Size } from "./geometry.js";
import { textOn } from "./palette.js";

/** Labels on a stage narrower than this are smaller. */
const NARROW = 520;
/** Where there are more faces than this, those that are small get their number only. */
const CROWD = 4;

/** What is drawn of a face. */
export type DrawnFace = Pick<FaceView, "number" | "colour" | "label" | "expression" | "box" | "landmarks">;

/** What is drawn over a picture. */
export interface Scene {
  readonly faces: readonly DrawnFace[];
  /** The picture's own size. */
  readonly picture: Size;
  /** Whether the picture is shown as its mirror image; text never is. */
  readonly mirrored: boolean;
  /** The number of the face that the user looks at more closely. */
  readonly selected: number | undefined;
}

type Drawing = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/**
 * Draws boxes, landmarks and labels.
 *
 * @param stage the size of what is drawn on, in the drawing's units.
 * @param boxOf where a face is now, in fractions of the picture.
 * @param thickness of lines and letters; 1 for a screen.
 */
export function drawScene(context: Drawing, stage: Size, scene: Scene, boxOf: (face: DrawnFace) => Rect, thickness = 1): void {
  const shown = containRect(scene.picture, stage);
  const placed = scene.faces.map((face) => {
    const box = boxOf(face);
    return { face, box, onStage: boxOnStage(box, shown, scene.mirrored) };
  });
  for (const { face, box, onStage } of placed) {
    drawBox(context, face, onStage, face.number === scene.selected ? 1.6 * thickness : thickness);
    drawLandmarks(context, face, box, shown, scene.mirrored, thickness);
  }
  const labels: Rect[] = [];
  for (const { face, onStage } of placed) labels.push(drawLabel(context, face, onStage, stage, labels, scene.faces.length > CROWD, thickness));
}

function drawBox(context: Drawing, face: DrawnFace, box: Rect, thickness: number): void {
  const outline = new Path2D();
  outline.roundRect(box.x, box.y, box.width, box.height, Math.min(10 * thickness, box.width / 6, box.height / 6));
  // A dark edge keeps the colour visible on a picture of the same colour.
  context.setLineDash([]);
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.lineWidth = 3 * thickness + 2;
  context.stroke(outline);
  context.setLineDash(face.expression === "unclassified" ? [8 * thickness, 6 * thickness] : []);
  context.strokeStyle = face.colour;
  context.lineWidth = 3 * thickness;
  context.stroke(outline);
}

/** Landmarks move with the box that they were seen in. */
function drawLandmarks(context: Drawing, face: DrawnFace, box: Rect, shown: Rect, mirrored: boolean, thickness: number): void {
  for (const { x, y } of face.landmarks) {
    const across = box.x + ((x - face.box.x) / face.box.width) * box.width;
    const down = box.y + ((y - face.box.y) / face.box.height) * box.height;
    const point = boxOnStage({ x: across, y: down, width: 0, height: 0 }, shown, mirrored);
    context.beginPath();
    context.arc(point.x, point.y, 3 * thickness, 0, 2 * Math.PI);
    context.fillStyle = face.colour;
    context.fill();
    context.setLineDash([]);
    context.strokeStyle = "rgb(0 0 0 / 70%)";
    context.lineWidth = thickness;
    context.stroke();
  }
}

function drawLabel(
  context: Drawing,
  face: DrawnFace,
  box: Rect,
  stage: Size,
  others: readonly Rect[],
  crowded: boolean,
  thickness: number,
): Rect {
  const fontSize = (stage.width / thickness < NARROW ? 12 : 14) * thickness;
  const padding = fontSize / 2 + thickness;
  context.font = `600 ${fontSize}px system-ui, sans-serif`;
  let text = `${face.number} · ${face.label}`;
  let textWidth = context.measureText(text).width;
  if (crowded && textWidth > 1.5 * box.width) {
    text = String(face.number);
    textWidth = context.measureText(text).width;
  }
  const size = { width: Math.ceil(textWidth) + 2 * padding, height: fontSize + 10 * thickness };
  // Clear of the box's line.
  const around = { x: box.x - 1.5 * thickness, y: box.y - 4 * thickness, width: box.width, height: box.height + 8 * thickness };
  const label = labelOnStage(around, size, stage, others);
  context.fillStyle = face.colour;
  context.beginPath();
  context.roundRect(label.x, label.y, label.width, label.height, 6 * thickness);
  context.fill();
  context.fillStyle = textOn(face.colour);
  context.textBaseline = "middle";
  context.fillText(text, label.x + padding, label.y + label.height / 2 + thickness / 2);
  return label;
}
