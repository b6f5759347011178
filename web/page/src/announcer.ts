import type { FaceView } from "./face-view.js";
import { pageElement } from "./page-element.js";

/** The shortest time between two announcements of faces, in milliseconds. */
const CALM_MS = 5000;

/** What the faces are, in words. */
export function facesText(faces: readonly FaceView[]): string {
  if (faces.length === 0) return "No face in view";
  const expressions = faces.map((face) => (face.expression === "unclassified" ? "not classified" : face.expression)).join(", ");
  return `${faces.length} ${faces.length === 1 ? "face" : "faces"}: ${expressions}`;
}

/** Tells users of screen readers what changed, at a calm rate. */
export class Announcer {
  readonly #element = pageElement("announcer");
  #quietUntilMs = 0;

  /** Says something now. */
  say(text: string): void {
    if (this.#element.textContent !== text) this.#element.textContent = text;
  }

  /** Says which faces are there, unless that was done just now. */
  sayFaces(faces: readonly FaceView[], nowMs: number): void {
    if (nowMs < this.#quietUntilMs) return;
    this.#quietUntilMs = nowMs + CALM_MS;
    this.say(facesText(faces));
  }
}
