import { ClassifierState, type Failure, type Recognition } from "@emotion-recognizer/client";

import { pageElement } from "./page-element.js";
import { connectionTrouble, TROUBLES, type TroubleCode } from "./trouble.js";

/** A way out: a button and what it does. */
export interface WayOut {
  readonly name: string;
  act(): void;
}

/** More about a trouble. */
export interface MessageDetails {
  /** Instead of the usual words. */
  readonly title?: string;
  readonly text?: string;
  /** Changes often, and is not read out again each time. */
  readonly countdown?: string;
  readonly wayOut?: WayOut | undefined;
}

/** The message about trouble: one at a time, the newest. */
export class Message {
  /** The way out of what can only be noted. */
  readonly dismiss: WayOut = { name: "Dismiss", act: () => this.hide() };
  readonly #element = pageElement("message");
  readonly #title = pageElement("message-title");
  readonly #text = pageElement("message-text");
  readonly #countdown = pageElement("message-countdown");
  readonly #action = pageElement<HTMLButtonElement>("message-action");
  #act: (() => void) | undefined;

  constructor() {
    this.#action.addEventListener("click", () => this.#act?.());
  }

  /** The trouble shown. */
  get code(): TroubleCode | undefined {
    return this.#element.dataset["code"] as TroubleCode | undefined;
  }

  /** Shows a trouble. */
  show(code: TroubleCode, { title, text, countdown, wayOut }: MessageDetails = {}): void {
    this.#element.dataset["code"] = code;
    setText(this.#title, title ?? TROUBLES[code].title);
    setText(this.#text, text ?? TROUBLES[code].text);
    setText(this.#countdown, countdown ?? "");
    setText(this.#action, wayOut?.name ?? "");
    this.#action.hidden = !wayOut;
    this.#act = wayOut && (() => wayOut.act());
    this.#element.hidden = false;
  }

  /** Shows why a file, or the rest of it, was not analysed; `title` says that it was not. */
  showFailure(failure: Failure, title: string, wayOut: WayOut = this.dismiss): void {
    if (failure.kind === "frame") this.show("frame-error", { title, text: failure.message, wayOut });
    else this.show(connectionTrouble(failure.reason), failure.kind === "lost" ? { text: title, wayOut } : { wayOut });
  }

  /** Shows or hides that faces cannot be classified just now. */
  showClassifier({ classifierState }: Recognition): void {
    if (classifierState !== ClassifierState.UNAVAILABLE) this.hide("classifier-away");
    else if (this.code !== "classifier-away") this.show("classifier-away");
  }

  /** Hides the message, or only if it is about one of `codes`. */
  hide(...codes: TroubleCode[]): void {
    if (codes.length > 0 && !(this.code && codes.includes(this.code))) return;
    this.#element.hidden = true;
    delete this.#element.dataset["code"];
    this.#act = undefined;
  }
}

function setText(element: HTMLElement, text: string): void {
  // Unchanged text is left alone, as a change would be read out.
  if (element.textContent !== text) element.textContent = text;
}
