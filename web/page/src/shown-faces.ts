import type { Announcer } from "./announcer.js";
import type { FaceView } from "./face-view.js";
import { FacesPanel } from "./faces-panel.js";
import type { Stage } from "./stage.js";

/** How often the panel changes at most while faces change all the time, in milliseconds. */
const CALM_MS = 200;

/** The faces that are shown, on the stage and in the panel, and which of them the user looks at more closely. */
export class ShownFaces {
  readonly #panel = new FacesPanel((number) => this.choose(number));
  #current: readonly FaceView[] = [];
  #chosen: number | undefined;
  #shownAtMs = -Infinity;

  /** @param changed is called when the panel has changed; `chosen` if that is because the user chose a face. */
  constructor(
    private readonly stage: Stage,
    private readonly announcer: Announcer,
    private readonly changed: (chosen: boolean) => void,
  ) {}

  get current(): readonly FaceView[] {
    return this.#current;
  }

  /** The number of the face that the user chose, which may be away. */
  get chosen(): number | undefined {
    return this.#chosen;
  }

  /** The number of the face that the user chose while it is there, or else of the first one. */
  get selected(): number | undefined {
    return this.#current.some((face) => face.number === this.#chosen) ? this.#chosen : this.#current[0]?.number;
  }

  /** What to say while there is no face. */
  set emptyText(text: string) {
    this.#panel.emptyText = text;
  }

  /** Looks at a face more closely. */
  choose(number: number): void {
    this.#chosen = number;
    this.#showPanel();
    this.changed(true);
  }

  /** Follows the faces of a live frame, which was taken at `takenAtMs` on performance.now()'s clock. */
  follow(faces: readonly FaceView[], takenAtMs: number): void {
    this.#current = faces;
    this.stage.followFaces(faces, takenAtMs);
    this.#showPanelCalmly();
  }

  /** Shows faces that do not move by themselves; `calmly` if others will be shown soon. */
  show(faces: readonly FaceView[], calmly = false): void {
    this.#current = faces;
    this.stage.showFaces(faces);
    if (calmly) this.#showPanelCalmly();
    else this.#showPanel();
  }

  /** Forgets all faces and the user's choice. */
  clear(): void {
    this.#chosen = undefined;
    this.show([]);
  }

  #showPanelCalmly(): void {
    const now = performance.now();
    if (now - this.#shownAtMs < CALM_MS) return;
    this.#showPanel();
    this.announcer.sayFaces(this.#current, now);
  }

  #showPanel(): void {
    this.#shownAtMs = performance.now();
    this.#panel.show(this.#current, this.selected);
    this.stage.selected = this.#current.length > 1 ? this.selected : undefined;
    this.changed(false);
  }
}
