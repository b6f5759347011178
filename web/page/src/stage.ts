import type { FaceView } from "./face-view.js";
import type { Size } from "./geometry.js";
import { Overlay } from "./overlay.js";
import { pageElement } from "./page-element.js";

/** Where the video or the picture is seen, with the boxes over it. */
export class Stage {
  readonly video = pageElement<HTMLVideoElement>("video");
  readonly #element = pageElement("stage");
  readonly #picture = pageElement<HTMLImageElement>("picture");
  readonly #overlay = new Overlay(pageElement<HTMLCanvasElement>("overlay"));
  #faces: readonly FaceView[] = [];
  #mirrored = false;
  #url: string | undefined;

  constructor() {
    // Also when a phone is turned.
    this.video.addEventListener("resize", () => this.#arrange());
  }

  /** Shows a camera; resolves once it plays. */
  async showCamera(camera: MediaStream, mirrored: boolean): Promise<void> {
    this.clear();
    this.#mirrored = mirrored;
    this.video.classList.toggle("mirrored", mirrored);
    this.video.srcObject = camera;
    await this.video.play();
    this.#arrange();
  }

  /**
   * Shows a video file and plays it, with controls.
   *
   * @throws Error if the browser cannot play it, or it has no picture.
   */
  async showVideo(file: Blob): Promise<void> {
    this.clear();
    this.video.controls = true;
    await new Promise<void>((resolve, reject) => {
      this.video.onloadeddata = () => resolve();
      this.video.onerror = () => reject(new Error(this.video.error?.message || "the video cannot be played"));
      this.video.src = this.#url = URL.createObjectURL(file);
    });
    if (this.video.videoWidth === 0) throw new Error("the file has no picture");
    this.#arrange();
    // Where playing at once is not allowed, the controls are there.
    await this.video.play().catch(() => undefined);
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

  /** Puts boxes on the faces. */
  showFaces(faces: readonly FaceView[]): void {
    this.#faces = faces;
    this.#overlay.show(faces, this.#size(), this.#mirrored);
  }

  /** Takes everything off the stage. */
  clear(): void {
    this.showFaces([]);
    this.#mirrored = false;
    this.video.classList.remove("mirrored");
    this.video.onloadeddata = this.video.onerror = null;
    this.video.srcObject = null;
    this.video.removeAttribute("src");
    this.video.load();
    this.video.controls = false;
    this.video.hidden = false;
    this.#picture.hidden = true;
    this.#picture.removeAttribute("src");
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
  }

  #size(): Size {
    if (this.video.hidden) return { width: this.#picture.naturalWidth, height: this.#picture.naturalHeight };
    return { width: this.video.videoWidth, height: this.video.videoHeight };
  }

  #arrange(): void {
    const { width, height } = this.#size();
    if (width > 0 && height > 0) this.#element.style.aspectRatio = `${width} / ${height}`;
    this.showFaces(this.#faces);
  }
}
