import type { FaceView } from "./face-view.js";
import { boxOnStage, containRect, labelOnStage, type Rect, type Size } from "./geometry.js";
import { textOn } from "./palette.js";

/** Labels on a stage narrower than this are smaller. */
const NARROW = 520;
/** Where there are more faces than this, those that are small get their number only. */
const CROWD = 4;

/** Draws boxes and labels on a canvas that covers the stage, sharp at any pixel ratio. */
export class Overlay {
  readonly #context: CanvasRenderingContext2D;
  #size: Size = { width: 0, height: 0 };
  #faces: readonly FaceView[] = [];
  #picture: Size = { width: 0, height: 0 };
  #mirrored = false;
  #scheduled = false;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.#context = canvas.getContext("2d")!;
    new ResizeObserver(([entry]) => {
      this.#size = entry!.contentRect;
      this.#draw();
    }).observe(canvas);
  }

  /** Shows `faces` over a picture of this size, or over its mirror image. */
  show(faces: readonly FaceView[], picture: Size, mirrored: boolean): void {
    this.#faces = faces;
    this.#picture = picture;
    this.#mirrored = mirrored;
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw(): void {
    const context = this.#context;
    const { width, height } = this.#size;
    // The pixel ratio changes with zoom, and when a window moves to another screen.
    const columns = Math.round(width * devicePixelRatio);
    const rows = Math.round(height * devicePixelRatio);
    if (this.canvas.width !== columns) this.canvas.width = columns;
    if (this.canvas.height !== rows) this.canvas.height = rows;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, columns, rows);
    if (columns === 0 || rows === 0) return;
    context.setTransform(columns / width, 0, 0, rows / height, 0, 0);
    const shown = containRect(this.#picture, this.#size);
    const boxes = this.#faces.map((face) => boxOnStage(face.box, shown, this.#mirrored));
    this.#faces.forEach((face, index) => this.#drawBox(face, boxes[index]!));
    const labels: Rect[] = [];
    this.#faces.forEach((face, index) => labels.push(this.#drawLabel(face, boxes[index]!, labels)));
  }

  #drawBox(face: FaceView, box: Rect): void {
    const context = this.#context;
    const outline = new Path2D();
    outline.roundRect(box.x, box.y, box.width, box.height, Math.min(10, box.width / 6, box.height / 6));
    // A dark edge keeps the colour visible on a picture of the same colour.
    context.setLineDash([]);
    context.strokeStyle = "rgb(0 0 0 / 55%)";
    context.lineWidth = 5;
    context.stroke(outline);
    context.setLineDash(face.expression === "unclassified" ? [8, 6] : []);
    context.strokeStyle = face.colour;
    context.lineWidth = 3;
    context.stroke(outline);
  }

  #drawLabel(face: FaceView, box: Rect, others: readonly Rect[]): Rect {
    const context = this.#context;
    const fontSize = this.#size.width < NARROW ? 12 : 14;
    const padding = fontSize / 2 + 1;
    context.font = `600 ${fontSize}px system-ui, sans-serif`;
    let text = `${face.number} · ${face.label}`;
    let textWidth = context.measureText(text).width;
    if (this.#faces.length > CROWD && textWidth > 1.5 * box.width) {
      text = String(face.number);
      textWidth = context.measureText(text).width;
    }
    const size = { width: Math.ceil(textWidth) + 2 * padding, height: fontSize + 10 };
    // Clear of the box's line.
    const around = { x: box.x - 1.5, y: box.y - 4, width: box.width, height: box.height + 8 };
    const label = labelOnStage(around, size, this.#size, others);
    context.fillStyle = face.colour;
    context.beginPath();
    context.roundRect(label.x, label.y, label.width, label.height, 6);
    context.fill();
    context.fillStyle = textOn(face.colour);
    context.textBaseline = "middle";
    context.fillText(text, label.x + padding, label.y + label.height / 2 + 0.5);
    return label;
  }
}
