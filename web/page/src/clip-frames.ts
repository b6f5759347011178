import { ElementEncoder, type EncodeOptions, type RecordedFrame } from "@emotion-recognizer/client";

/** A clip is analysed at this many moments at most. */
const MOST_MOMENTS = 3000;

/** The frames of a video file, one after the other, whatever time each of them takes. */
export class ClipFrames {
  readonly #video = document.createElement("video");
  readonly #url: string;

  constructor(file: Blob) {
    this.#url = URL.createObjectURL(file);
    this.#video.muted = true;
    this.#video.preload = "auto";
  }

  /** Its length, in seconds; known once opened. */
  get duration(): number {
    return this.#video.duration;
  }

  /**
   * Opens the file.
   *
   * @throws Error if the browser cannot play it, or it has no picture.
   */
  async open(): Promise<void> {
    this.#video.src = this.#url;
    await this.#happens("loadeddata");
    if (this.#video.videoWidth === 0) throw new Error("the file has no picture");
    // Recordings of browsers do not know their own length before their end is reached.
    if (!Number.isFinite(this.#video.duration)) await this.#seek(Number.MAX_SAFE_INTEGER);
  }

  /** The time between moments, in seconds, for so many a second if the clip is not too long for that. */
  step(perSecond: number): number {
    return Math.max(1 / perSecond, this.duration / MOST_MOMENTS);
  }

  /** The frames at every step of so many seconds. */
  async *frames(stepSeconds: number, options: EncodeOptions): AsyncGenerator<RecordedFrame> {
    const encoder = new ElementEncoder();
    try {
      for (let moment = 0; moment * stepSeconds < this.duration; moment += 1) {
        const time = moment * stepSeconds;
        await this.#seek(time);
        const { videoWidth, videoHeight } = this.#video;
        yield { timeMs: time * 1000, image: await encoder.encode(this.#video, videoWidth, videoHeight, options) };
      }
    } finally {
      encoder.close();
    }
  }

  /** Lets go of the file. */
  close(): void {
    this.#video.removeAttribute("src");
    this.#video.load();
    URL.revokeObjectURL(this.#url);
  }

  async #seek(time: number): Promise<void> {
    const seeked = this.#happens("seeked");
    this.#video.currentTime = time;
    await seeked;
  }

  #happens(event: "loadeddata" | "seeked"): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = new AbortController();
      const { signal } = end;
      const settle = (act: () => void) => () => {
        end.abort();
        act();
      };
      this.#video.addEventListener(event, settle(resolve), { signal });
      this.#video.addEventListener("error", settle(() => reject(new Error(this.#video.error?.message || "the video cannot be played"))), { signal });
      this.#video.addEventListener("emptied", settle(() => reject(new Error("the video was closed"))), { signal });
    });
  }
}
