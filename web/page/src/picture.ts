import { encodePicture, failureOfUnary } from "@emotion-recognizer/client";

import { facesText } from "./announcer.js";
import { faceViews } from "./face-view.js";
import type { PageParts } from "./page-parts.js";

/** Larger pictures are sent smaller. */
const ENCODE = { maxSide: 1280, quality: 0.9 };

/** A picture file: analysed once. */
export class Picture {
  constructor(private readonly parts: PageParts) {}

  /** Shows a file and analyses it, unless `signal` is aborted; `refused` is called if the browser cannot show it. */
  async show(file: File, signal: AbortSignal, refused: () => void): Promise<void> {
    const { stage, status } = this.parts;
    status.show({ name: "connecting" }, undefined, "Analysing…");
    let image;
    try {
      await stage.showPicture(file);
      image = await encodePicture(file, ENCODE);
    } catch {
      if (!signal.aborted) refused();
      return;
    }
    if (!signal.aborted) await this.#analyse(image, signal);
  }

  async #analyse(image: Uint8Array, signal: AbortSignal): Promise<void> {
    const { announcer, client, faces, log, message, status } = this.parts;
    const startedAtMs = performance.now();
    message.hide();
    status.show({ name: "connecting" }, undefined, "Analysing…");
    try {
      const { recognition } = await client.recognize(image, signal);
      if (signal.aborted || !recognition) return;
      const views = faceViews(recognition);
      log.add(views, 0);
      faces.emptyText = "No face was found.";
      faces.show(views);
      announcer.say(facesText(views));
      message.showClassifier(recognition);
      status.show({ name: "stopped" }, undefined, `Analysed in ${Math.round(performance.now() - startedAtMs)} ms`);
    } catch (error) {
      if (signal.aborted) return;
      faces.emptyText = "The picture was not analysed.";
      status.show({ name: "stopped" }, undefined, "Not analysed");
      message.showFailure(failureOfUnary(error), "The picture was not analysed.", {
        name: "Retry now",
        act: () => void this.#analyse(image, signal),
      });
    }
  }
}
