import type { ClientState, ResultEvent } from "@emotion-recognizer/client";

import { pageElement } from "./page-element.js";

const TRANSPORT = { websocket: "WebSocket", unary: "single calls" } as const;

/** What a status line says of a state; `result` is the newest one. */
export function statusText(state: ClientState, result: ResultEvent | undefined): string {
  switch (state.name) {
    case "stopped":
      return "Ready";
    case "connecting":
      return "Connecting…";
    case "failed":
      return "Not connected";
    case "reconnecting":
      return state.retryInMs > 0 ? `Reconnecting in ${state.retryInMs / 1000} s` : "Reconnecting…";
    case "live": {
      const way = `Live · ${TRANSPORT[state.transport]}`;
      if (!result) return way;
      return `${way} · ${Math.round(result.framesPerSecond)} frames/s · ${Math.round(result.roundTripMs)} ms · ${result.dropped} dropped`;
    }
  }
}

/** The line at the top that says how things are. */
export class StatusLine {
  readonly #element = pageElement("status");

  /** Shows a state; `text` instead of the state's own words. */
  show(state: ClientState, result?: ResultEvent, text: string = statusText(state, result)): void {
    this.#element.dataset["state"] = state.name;
    this.#element.dataset["transport"] = state.name === "live" ? state.transport : "";
    if (this.#element.textContent !== text) this.#element.textContent = text;
  }
}
