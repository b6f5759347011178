import type { ClientState, FrameErrorEvent, ResultEvent } from "@emotion-recognizer/client";

import { CameraPicker } from "./camera-picker.js";
import { closeStream, openCamera, openScreen } from "./camera.js";
import { faceViews } from "./face-view.js";
import { pageElement } from "./page-element.js";
import type { PageParts } from "./page-parts.js";
import { HISTORY_SECONDS, ScoreHistory } from "./score-history.js";
import { StatisticsPanel } from "./statistics.js";
import { allowCameraText, cameraTrouble, connectionTrouble, screenTrouble } from "./trouble.js";

/** How often the timeline and the numbers beside it change, in milliseconds. */
const FIGURES_MS = 1000;
/** Boxes older than this are taken away, and errors older than this forgotten. */
const STALE_MS = 1500;
/** A connection that is back sooner is not worth a message. */
const PATIENCE_MS = 1000;

/** A live source. */
export type LiveView = "camera" | "screen";

/** What live sources ask of the page. */
export interface LivePage {
  /** Everything else makes room for the camera or the screen. */
  enter(view: LiveView): void;
  /** The source has ended. */
  stop(): void;
  /** The user wants this source, again or another camera. */
  start(view: LiveView): void;
}

/** A camera or a screen: what the client tells of its frames is shown as it comes. */
export class Live {
  readonly #statistics = new StatisticsPanel();
  readonly #history = new ScoreHistory();
  readonly #mirrorButton = pageElement<HTMLButtonElement>("mirror");
  readonly #cameraPicker: CameraPicker;

  #view: LiveView | undefined;
  #stream: MediaStream | undefined;
  #facesUser = false;
  #startedAtMs = 0;

  #result: ResultEvent | undefined;
  #resultAtMs = 0;
  #errorAtMs = 0;
  #lostAtMs: number | undefined;
  #figuresAtMs = -Infinity;

  constructor(
    private readonly parts: PageParts,
    private readonly page: LivePage,
  ) {
    const { client, settings } = parts;
    this.#cameraPicker = new CameraPicker((deviceId) => {
      settings.change({ cameraId: deviceId });
      page.start("camera");
    });
    this.#mirrorButton.addEventListener("click", () => this.#toggleMirror());
    client.on("result", (result) => this.#showResult(result));
    client.on("error", (error) => this.#showFrameError(error));
    client.on("state", (state) => this.#showState(state));
  }

  /** Opens a camera or a screen and analyses what it shows, unless `signal` is aborted before the user allows it. */
  async start(view: LiveView, signal: AbortSignal): Promise<void> {
    const { client, message, settings, stage, status } = this.parts;
    message.hide();
    status.show({ name: "connecting" }, undefined, `Waiting for the ${view}…`);
    try {
      const { stream, deviceId, facesUser } =
        view === "camera" ? await openCamera(settings.current.cameraId) : { stream: await openScreen(), deviceId: "", facesUser: false };
      if (signal.aborted) {
        closeStream(stream);
        return;
      }
      this.page.enter(view);
      this.#view = view;
      this.#stream = stream;
      this.#facesUser = facesUser;
      this.#startedAtMs = performance.now();
      const track = stream.getVideoTracks()[0]!;
      track.addEventListener("ended", () => this.#ended(stream));
      await stage.showStream(stream, facesUser && settings.current.mirror);
      this.#showMirror();
      if (signal.aborted) return;
      client.start(track);
      if (view === "camera") void this.#cameraPicker.show(deviceId);
    } catch (error) {
      if (!signal.aborted) this.#refuse(view, error);
    }
  }

  /** Ends what is live: the camera is off and nothing is sent any more. */
  leave(): void {
    this.parts.client.stop();
    if (this.#stream) closeStream(this.#stream);
    this.#stream = undefined;
    this.#view = undefined;
    this.#lostAtMs = undefined;
    this.#cameraPicker.hide();
  }

  /** Forgets all scores; what is live goes on from the beginning. */
  forget(): void {
    this.#result = undefined;
    this.#history.clear();
    this.#statistics.clear();
    this.#startedAtMs = performance.now();
  }

  /** Shows how things are by now; to be called about twice a second. */
  refresh(): void {
    const { client, faces, status } = this.parts;
    const { state } = client;
    if (!this.#view || state.name === "stopped") return;
    if (state.name === "live") status.show(state, this.#fresh);
    else this.#showState(state);
    if (performance.now() - this.#figuresAtMs >= FIGURES_MS - 50) this.showFigures();
    // What no longer moves with the faces misleads.
    if (this.#result && !this.#fresh) {
      this.#result = undefined;
      faces.emptyText = state.name === "live" ? "Looking for faces…" : "Waiting for the server…";
      faces.show([]);
    }
  }

  /** Shows the timeline of the selected face and the numbers beside it. */
  showFigures(): void {
    if (!this.#view) return;
    const { client, faces, timeline } = this.parts;
    const now = performance.now();
    this.#figuresAtMs = now;
    this.#statistics.show(client.state.name === "live" ? this.#fresh : undefined);
    const face = faces.selected ?? faces.chosen;
    const to = now / 1000;
    timeline.show(
      { columns: face === undefined ? undefined : this.#history.of(face), from: to - HISTORY_SECONDS, to, name: face === undefined ? "no face" : `face ${face}` },
      now,
    );
  }

  /** The newest result while it is not stale. */
  get #fresh(): ResultEvent | undefined {
    return performance.now() - this.#resultAtMs < STALE_MS ? this.#result : undefined;
  }

  #refuse(view: LiveView, error: unknown): void {
    const { client, message } = this.parts;
    const code = view === "camera" ? cameraTrouble(error, isSecureContext) : screenTrouble(error, isSecureContext);
    if (this.#view === view) this.page.stop();
    this.#showState(client.state);
    // Trying again makes no origin secure and no browser newer.
    const hopeless = code === "insecure-origin" || code === "unsupported-browser";
    message.show(code, {
      ...(code === "camera-denied" && { text: allowCameraText(navigator.userAgent) }),
      wayOut: hopeless ? message.dismiss : this.#again(view),
    });
  }

  #ended(stream: MediaStream): void {
    const view = this.#view;
    if (this.#stream !== stream || !view) return;
    this.page.stop();
    // Whoever ends the sharing of a screen in the browser's own bar needs no message.
    if (view === "camera") this.parts.message.show("camera-missing", { title: "The camera was disconnected.", wayOut: this.#again(view) });
  }

  #again(view: LiveView): { name: string; act(): void } {
    return { name: "Try again", act: () => this.page.start(view) };
  }

  #toggleMirror(): void {
    const { settings, stage } = this.parts;
    stage.mirrored = !stage.mirrored;
    // A camera that looks away is no mirror, whatever is remembered.
    if (this.#facesUser) settings.change({ mirror: stage.mirrored });
    this.#showMirror();
  }

  #showMirror(): void {
    this.#mirrorButton.ariaPressed = String(this.parts.stage.mirrored);
  }

  #showResult(result: ResultEvent): void {
    const { client, faces, log, message, status } = this.parts;
    const now = performance.now();
    const views = faceViews(result.recognition);
    this.#history.add(views, now / 1000);
    log.add(views, Math.max(0, result.capturedAtMs - this.#startedAtMs) / 1000);
    this.#statistics.add(result);
    faces.emptyText = "No face in view.";
    faces.follow(views, result.capturedAtMs);
    const first = this.#result === undefined;
    this.#result = result;
    this.#resultAtMs = now;
    if (first) status.show(client.state, result);
    message.showClassifier(result.recognition);
    if (now - this.#errorAtMs > STALE_MS) message.hide("frame-error");
  }

  #showFrameError({ message }: FrameErrorEvent): void {
    this.#errorAtMs = performance.now();
    this.parts.message.show("frame-error", { text: message });
  }

  #showState(state: ClientState): void {
    const { client, faces, message, status } = this.parts;
    status.show(state, state.name === "live" ? this.#result : undefined);
    switch (state.name) {
      case "live":
        this.#lostAtMs = undefined;
        message.hide("server-away", "reconnecting", "session-limit", "signed-out", "refused");
        break;
      case "reconnecting": {
        faces.emptyText = "Waiting for the server…";
        const now = performance.now();
        this.#lostAtMs ??= now;
        if (state.attempt === 1 && now - this.#lostAtMs < PATIENCE_MS) break;
        message.show(connectionTrouble(state.reason), {
          countdown: state.retryInMs > 0 ? `Next attempt in ${state.retryInMs / 1000} s.` : "Trying now…",
          wayOut: { name: "Retry now", act: () => client.retry() },
        });
        break;
      }
      case "failed":
        faces.emptyText = "The server is not connected.";
        message.show(connectionTrouble(state.reason), { wayOut: { name: "Try again", act: () => client.retry() } });
        break;
    }
  }
}
