import { failureOfUnary, type EmotionClient, type Failure, type Recognition } from "@emotion-recognizer/client";

import type { Announcer } from "./announcer.js";
import { ClipControls } from "./clip-controls.js";
import { ClipFrames } from "./clip-frames.js";
import { ClipResults } from "./clip-results.js";
import { faceViews, type FaceView } from "./face-view.js";
import type { Message } from "./message.js";
import type { SettingsStore } from "./settings.js";
import type { Stage } from "./stage.js";
import type { StatusLine } from "./status-line.js";
import type { TimelineView } from "./timeline.js";
import { connectionTrouble } from "./trouble.js";

/** The parts of the page that a clip uses. */
export interface ClipParts {
  readonly client: EmotionClient;
  readonly settings: SettingsStore;
  readonly stage: Stage;
  readonly status: StatusLine;
  readonly message: Message;
  readonly announcer: Announcer;
}

/** What a clip asks and tells while it is analysed. */
export interface ClipEvents {
  /** Whether the user still wants this clip; nothing is told any more once they do not. */
  wanted(): boolean;
  /** A moment, in seconds, is analysed. */
  found(time: number, faces: readonly FaceView[], recognition: Recognition): void;
  /** The browser cannot play the file. */
  refused(): void;
  /** The analysis ended early. */
  failed(failure: Failure): void;
}

/** A video file: analysed frame by frame, played and searched all the while. */
export class Clip {
  readonly #controls: ClipControls;
  #results: ClipResults | undefined;
  #seconds = 0;

  constructor(private readonly parts: ClipParts) {
    this.#controls = new ClipControls(parts.stage.video);
  }

  /** Shows a file and analyses it to its end, or until `signal` is aborted. */
  async show(file: File, signal: AbortSignal, events: ClipEvents): Promise<void> {
    this.parts.status.show({ name: "connecting" }, undefined, "Opening the video…");
    const frames = new ClipFrames(file);
    try {
      await this.parts.stage.showVideo(file);
      await frames.open();
    } catch {
      frames.close();
      if (events.wanted()) events.refused();
      return;
    }
    if (events.wanted()) await this.#analyse(frames, signal, events);
    frames.close();
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

  /** The faces at a moment, in seconds; undefined while there is no clip. */
  facesAt(time: number): readonly FaceView[] | undefined {
    return this.#results?.at(time);
  }

  /** The scores of the selected face over the whole clip, or else of the chosen one or the first; undefined while there is no clip. */
  timeline(selected: number | undefined, chosen: number | undefined): (TimelineView & { readonly position: number }) | undefined {
    if (!this.#results) return undefined;
    const numbers = this.#results.numbers();
    const face = selected ?? (numbers.includes(chosen ?? 0) ? chosen : numbers[0]);
    return {
      columns: face === undefined ? undefined : this.#results.of(face),
      from: 0,
      to: this.#seconds,
      name: face === undefined ? "no face" : `face ${face}`,
      position: this.parts.stage.video.currentTime,
    };
  }

  async #analyse(frames: ClipFrames, signal: AbortSignal, events: ClipEvents): Promise<void> {
    const { client, settings, status, message, announcer } = this.parts;
    const { clipFramesPerSecond, maxSide, quality } = settings.current;
    const step = frames.step(clipFramesPerSecond);
    const results = new ClipResults(step);
    this.#results = results;
    this.#seconds = frames.duration;
    this.#controls.show(frames.duration);
    status.show({ name: "stopped" }, undefined, "Analysing the video…");
    const onWait = (failure: Failure) => {
      if (!events.wanted()) return;
      const code = failure.kind === "lost" ? connectionTrouble(failure.reason) : "frame-error";
      message.show(code, { text: "The analysis goes on by itself." });
    };
    try {
      for await (const { timeMs, recognition } of client.analyse(frames.frames(step, { maxSide, quality }), { signal, onWait })) {
        if (!events.wanted()) return;
        const time = timeMs / 1000;
        const faces = faceViews(recognition);
        results.add({ time, faces });
        message.hide("server-away", "session-limit", "frame-error");
        events.found(time, faces, recognition);
        this.#controls.progress(Math.min(0.999, (time + step) / frames.duration));
        this.#controls.follow(time);
      }
      if (!events.wanted()) return;
      this.#controls.progress(1);
      this.#controls.follow(0);
      status.show({ name: "stopped" }, undefined, `${results.length} frames analysed`);
      announcer.say("The whole video is analysed");
    } catch (error) {
      if (!events.wanted()) return;
      this.#controls.progress(0, "The analysis stopped.");
      status.show({ name: "stopped" }, undefined, "Not analysed");
      events.failed(failureOfUnary(error));
    }
  }
}
