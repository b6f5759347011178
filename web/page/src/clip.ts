import { failureOfUnary, type Failure } from "@emotion-recognizer/client";

import { ClipControls } from "./clip-controls.js";
import { ClipFrames } from "./clip-frames.js";
import { ClipResults } from "./clip-results.js";
import { faceViews } from "./face-view.js";
import type { PageParts } from "./page-parts.js";
import { connectionTrouble } from "./trouble.js";

/** A video file: analysed frame by frame, played and searched all the while. */
export class Clip {
  readonly #controls: ClipControls;
  #results: ClipResults | undefined;
  #seconds = 0;

  constructor(private readonly parts: PageParts) {
    this.#controls = new ClipControls(parts.stage.video);
  }

  /** Shows a file and analyses it to its end, or until `signal` is aborted; `refused` is called if the browser cannot play it. */
  async show(file: File, signal: AbortSignal, refused: () => void): Promise<void> {
    this.parts.status.show({ name: "connecting" }, undefined, "Opening the video…");
    const frames = new ClipFrames(file);
    try {
      await this.parts.stage.showVideo(file);
      await frames.open();
    } catch {
      frames.close();
      if (!signal.aborted) refused();
      return;
    }
    if (!signal.aborted) await this.#analyse(frames, signal);
    frames.close();
    if (!signal.aborted) this.refresh();
  }

  /** Forgets the file. */
  close(): void {
    this.#results = undefined;
    this.#controls.hide();
  }

  /** Goes to a moment, in seconds, as the user wishes. */
  seek(seconds: number): void {
    this.#controls.seek(seconds);
  }

  /** Shows the faces of a moment, in seconds, if there is a clip. */
  showAt(time: number): void {
    if (!this.#results) return;
    const { faces, stage } = this.parts;
    faces.emptyText = "No face at this moment.";
    faces.show(this.#results.at(time), !stage.video.paused);
  }

  /** Shows how far things are, if there is a clip: its timeline, of the selected face, or else of the chosen one or the first. */
  refresh(): void {
    if (!this.#results) return;
    const { faces, stage, timeline } = this.parts;
    const { currentTime: position, paused } = stage.video;
    if (paused) this.showAt(position);
    const numbers = this.#results.numbers();
    const face = faces.selected ?? (numbers.includes(faces.chosen ?? 0) ? faces.chosen : numbers[0]);
    timeline.show(
      {
        columns: face === undefined ? undefined : this.#results.of(face),
        from: 0,
        to: this.#seconds,
        name: face === undefined ? "no face" : `face ${face}`,
        position,
      },
      performance.now(),
    );
  }

  async #analyse(frames: ClipFrames, signal: AbortSignal): Promise<void> {
    const { announcer, client, log, message, settings, status } = this.parts;
    const { clipFramesPerSecond, maxSide, quality } = settings.current;
    const step = frames.step(clipFramesPerSecond);
    const results = new ClipResults(step);
    this.#results = results;
    this.#seconds = frames.duration;
    this.#controls.show(frames.duration);
    status.show({ name: "stopped" }, undefined, "Analysing the video…");
    const onWait = (failure: Failure) => {
      if (signal.aborted) return;
      const code = failure.kind === "lost" ? connectionTrouble(failure.reason) : "frame-error";
      message.show(code, { text: "The analysis goes on by itself." });
    };
    try {
      for await (const { timeMs, recognition } of client.analyse(frames.frames(step, { maxSide, quality }), { signal, onWait })) {
        if (signal.aborted) return;
        const time = timeMs / 1000;
        const faces = faceViews(recognition);
        results.add({ time, faces });
        log.add(faces, time);
        message.hide("server-away", "session-limit", "frame-error");
        message.showClassifier(recognition);
        this.#controls.progress(Math.min(0.999, (time + step) / frames.duration));
        this.#controls.follow(time);
      }
      if (signal.aborted) return;
      this.#controls.progress(1);
      this.#controls.follow(0);
      status.show({ name: "stopped" }, undefined, `${results.length} frames analysed`);
      announcer.say("The whole video is analysed");
    } catch (error) {
      if (signal.aborted) return;
      this.#controls.progress(0, "The analysis stopped.");
      status.show({ name: "stopped" }, undefined, "Not analysed");
      message.showFailure(failureOfUnary(error), "The rest of the video was not analysed.");
    }
  }
}
