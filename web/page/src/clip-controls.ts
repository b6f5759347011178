import { pageElement } from "./page-element.js";

/** A key or a click moves so far at least, in seconds. */
const STEP_SECONDS = 0.01;

/** Progress of a clip's analysis, and the controls that play it and search in it. */
export class ClipControls {
  readonly #element = pageElement("clip");
  readonly #progress = pageElement<HTMLProgressElement>("clip-progress");
  readonly #progressText = pageElement("clip-progress-text");
  readonly #play = pageElement<HTMLButtonElement>("clip-play");
  readonly #position = pageElement<HTMLInputElement>("clip-position");
  readonly #time = pageElement("clip-time");
  /** Whether the user played or searched: then the picture stays where they put it. */
  #touched = false;

  constructor(private readonly video: HTMLVideoElement) {
    this.#position.step = String(STEP_SECONDS);
    this.#play.addEventListener("click", () => {
      this.#touched = true;
      if (video.paused) void video.play().catch(() => undefined);
      else video.pause();
    });
    this.#position.addEventListener("input", () => this.seek(Number(this.#position.value)));
    for (const event of ["play", "pause", "ended"]) video.addEventListener(event, () => this.#showPlaying());
    for (const event of ["timeupdate", "seeked", "durationchange"]) video.addEventListener(event, () => this.#showTime());
  }

  /** Shows the controls for a clip of this length, in seconds. */
  show(duration: number): void {
    this.#element.hidden = false;
    this.#touched = false;
    this.#position.max = String(duration);
    this.progress(0);
    this.#showTime();
    this.#showPlaying();
  }

  hide(): void {
    this.#element.hidden = true;
  }

  /** Shows how much of the clip is analysed, 0 to 1; with words instead of the usual ones. */
  progress(part: number, text = part >= 1 ? "The whole clip is analysed." : `Analysing: ${Math.floor(part * 100)}%`): void {
    this.#progress.value = part;
    this.#progress.hidden = part >= 1;
    if (this.#progressText.textContent !== text) this.#progressText.textContent = text;
  }

  /** Goes to a moment of the clip, in seconds, as the user wishes. */
  seek(seconds: number): void {
    this.#touched = true;
    this.video.currentTime = Math.max(0, Math.min(seconds, Number(this.#position.max)));
  }

  /** Goes with the analysis, unless the user went elsewhere. */
  follow(seconds: number): void {
    if (!this.#touched && !this.video.seeking) this.video.currentTime = seconds;
  }

  #showPlaying(): void {
    this.#play.textContent = this.video.paused ? "Play" : "Pause";
  }

  #showTime(): void {
    if (this.#element.hidden) return;
    const { currentTime } = this.video;
    this.#position.value = String(currentTime);
    const text = `${clock(currentTime)} of ${clock(Number(this.#position.max))}`;
    this.#position.setAttribute("aria-valuetext", text);
    this.#time.textContent = text;
  }
}

/** Seconds as minutes and seconds: "1:05.3". */
export function clock(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return `${Math.floor(tenths / 600)}:${rest}`;
}
