import type { FaceView } from "./face-view.js";
import { boxOnStage, containRect, type Size } from "./geometry.js";
import { FaceMotion } from "./motion.js";
import { Overlay } from "./overlay.js";
import { pageElement } from "./page-element.js";
import { drawScene, type Scene } from "./scene.js";

/** What the stage tells. */
export interface StageEvents {
  /** The user points at a face. */
  select(number: number): void;
  /** A frame of a video file is shown; `time` in seconds from its beginning. */
  frame(time: number): void;
}

/** Where the video or the picture is seen, with the boxes over it. */
export class Stage {
  readonly video = pageElement<HTMLVideoElement>("video");
  readonly #element = pageElement("stage");
  readonly #picture = pageElement<HTMLImageElement>("picture");
  readonly #motion = new FaceMotion();
  readonly #overlay = new Overlay(pageElement<HTMLCanvasElement>("overlay"));
  #faces: readonly FaceView[] = [];
  #selected: number | undefined;
  #mirrored = false;
  #url: string | undefined;
  #takenAtMs: number | undefined;

  constructor(private readonly events: StageEvents) {
    // Also when a phone is turned.
    this.video.addEventListener("resize", () => this.#arrange());
    this.#element.addEventListener("click", (event) => this.#selectAt(event));
    if (!("requestVideoFrameCallback" in this.video)) this.#watchTime(this.video);
  }

  /** Shows a camera or a screen; resolves once it plays. */
  async showStream(stream: MediaStream, mirrored: boolean): Promise<void> {
    this.clear();
    this.mirrored = mirrored;
    this.video.srcObject = stream;
    await this.video.play();
    this.#arrange();
  }

  /**
   * Shows the first frame of a video file.
   *
   * @throws Error if the browser cannot play it, or it has no picture.
   */
  async showVideo(file: Blob): Promise<void> {
    this.clear();
    await new Promise<void>((resolve, reject) => {
      this.video.onloadeddata = () => resolve();
      this.video.onerror = () => reject(new Error(this.video.error?.message || "the video cannot be played"));
      this.video.src = this.#url = URL.createObjectURL(file);
    });
    if (this.video.videoWidth === 0) throw new Error("the file has no picture");
    this.#arrange();
    if (this.#url && "requestVideoFrameCallback" in this.video) this.#watchFrames(this.#url);
  }

  /**
   * Shows a picture file.
   *
   * @throws DOMException if the browser cannot decode it.
   */
  async showPicture(file: Blob): Promise<void> {
    this.clear();
    this.#picture.src = this.#url = URL.createObjectURL(file);
    await this.#picture.decode();
    this.video.hidden = true;
    this.#picture.hidden = false;
    this.#arrange();
  }

  /** Whether what is shown is its mirror image. */
  get mirrored(): boolean {
    return this.#mirrored;
  }

  set mirrored(mirrored: boolean) {
    this.#mirrored = mirrored;
    this.video.classList.toggle("mirrored", mirrored);
    this.#redraw();
  }

  /** The face that is drawn more strongly. */
  set selected(number: number | undefined) {
    if (number === this.#selected) return;
    this.#selected = number;
    this.#redraw();
  }

  /** Puts boxes on the faces of a live frame, which was taken at `takenAtMs` on performance.now()'s clock. */
  followFaces(faces: readonly FaceView[], takenAtMs: number): void {
    this.#motion.still = this.#overlay.still;
    this.#motion.see(faces, takenAtMs, performance.now());
    this.#faces = faces;
    this.#takenAtMs = takenAtMs;
    this.#redraw();
  }

  /** Puts boxes on faces that do not move by themselves. */
  showFaces(faces: readonly FaceView[]): void {
    this.#motion.clear();
    this.#faces = faces;
    this.#takenAtMs = undefined;
    this.#redraw();
  }

  /** What is seen, with the boxes, as a PNG file in the picture's own size. */
  async photograph(): Promise<Blob> {
    const size = this.#size();
    const canvas = document.createElement("canvas");
    canvas.width = size.width;
    canvas.height = size.height;
    const context = canvas.getContext("2d");
    if (!context || size.width === 0) throw new Error("there is nothing to save yet");
    context.save();
    if (this.#mirrored) {
      context.translate(size.width, 0);
      context.scale(-1, 1);
    }
    context.drawImage(this.video.hidden ? this.#picture : this.video, 0, 0, size.width, size.height);
    context.restore();
    const now = performance.now();
    drawScene(context, size, this.#scene(), (face) => this.#motion.boxAt(face, now), Math.max(1, size.width / 900));
    return new Promise((resolve, reject) =>
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture could not be saved"))), "image/png"),
    );
  }

  /** Takes everything off the stage. */
  clear(): void {
    this.#selected = undefined;
    this.showFaces([]);
    this.mirrored = false;
    this.video.onloadeddata = this.video.onerror = null;
    this.video.srcObject = null;
    this.video.removeAttribute("src");
    this.video.load();
    this.video.hidden = false;
    this.#picture.hidden = true;
    this.#picture.removeAttribute("src");
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
  }

  /** Tells of each frame of the video file until it is taken off the stage. */
  #watchFrames(url: string): void {
    this.video.requestVideoFrameCallback((_, { mediaTime }) => {
      if (this.#url !== url) return;
      this.events.frame(mediaTime);
      this.#watchFrames(url);
    });
  }

  #watchTime(video: HTMLVideoElement): void {
    for (const event of ["timeupdate", "seeked"]) video.addEventListener(event, () => this.events.frame(video.currentTime));
  }

  #selectAt({ clientX, clientY }: MouseEvent): void {
    const { left, top } = this.#element.getBoundingClientRect();
    const shown = containRect(this.#size(), this.#overlay.size);
    const now = performance.now();
    const face = this.#faces.find((candidate) => {
      const box = boxOnStage(this.#motion.boxAt(candidate, now), shown, this.#mirrored);
      const [x, y] = [clientX - left - box.x, clientY - top - box.y];
      return x >= 0 && y >= 0 && x <= box.width && y <= box.height;
    });
    if (face) this.events.select(face.number);
  }

  #scene(): Scene {
    return { faces: this.#faces, picture: this.#size(), mirrored: this.#mirrored, selected: this.#selected };
  }

  #redraw(): void {
    this.#overlay.show(this.#scene(), this.#takenAtMs);
  }

  #size(): Size {
    if (this.video.hidden) return { width: this.#picture.naturalWidth, height: this.#picture.naturalHeight };
    return { width: this.video.videoWidth, height: this.video.videoHeight };
  }

  #arrange(): void {
    const { width, height } = this.#size();
    if (width > 0 && height > 0) this.#element.style.aspectRatio = `${width} / ${height}`;
    this.#redraw();
  }
}
