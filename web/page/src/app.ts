import {
  ClassifierState,
  connect,
  encodePicture,
  failureOfUnary,
  type ClientState,
  type FrameErrorEvent,
  type Recognition,
  type ResultEvent,
} from "@emotion-recognizer/client";

import { Announcer, facesText } from "./announcer.js";
import { closeCamera, openCamera } from "./camera.js";
import { acceptDrops, acceptFiles } from "./file-input.js";
import { faceViews } from "./face-view.js";
import { FacesPanel } from "./faces-panel.js";
import { Message } from "./message.js";
import { pageElement } from "./page-element.js";
import { Stage } from "./stage.js";
import { StatusLine } from "./status-line.js";
import { cameraTrouble } from "./trouble.js";

/** How often the numbers of the status line change, in milliseconds. */
const REFRESH_MS = 500;
/** How often the panel changes at most. */
const PANEL_MS = 100;
/** Boxes older than this are taken away, and errors older than this forgotten. */
const STALE_MS = 1500;
/** A connection that is back sooner is not worth a message. */
const PATIENCE_MS = 1000;

type View = "welcome" | "camera" | "picture" | "video";

/** The page: what the user asks for, what the client tells, and what is shown of both. */
export class App {
  readonly #client = connect(location.origin);
  readonly #stage = new Stage();
  readonly #panel = new FacesPanel();
  readonly #status = new StatusLine();
  readonly #message = new Message();
  readonly #announcer = new Announcer();
  readonly #startButton = pageElement<HTMLButtonElement>("start-camera");
  readonly #stopButton = pageElement<HTMLButtonElement>("stop");

  readonly #dismiss = { name: "Dismiss", act: () => this.#message.hide() };
  readonly #tryCameraAgain = { name: "Try again", act: () => void this.startCamera() };

  #view: View = "welcome";
  /** Counts what the user asked for: work begun for an earlier wish gives up. */
  #wish = 0;
  #camera: MediaStream | undefined;
  #result: ResultEvent | undefined;
  #resultAtMs = 0;
  #panelAtMs = 0;
  #errorAtMs = 0;
  #lostAtMs: number | undefined;

  constructor() {
    this.#startButton.addEventListener("click", () => void this.startCamera());
    this.#stopButton.addEventListener("click", () => this.stop());
    const choose = { picture: (file: File) => void this.showPicture(file), video: (file: File) => void this.showVideo(file) };
    acceptFiles(pageElement<HTMLInputElement>("picture-file"), choose.picture);
    acceptFiles(pageElement<HTMLInputElement>("video-file"), choose.video);
    acceptDrops(pageElement("drop"), choose, () => this.#message.show("unsupported-file", { wayOut: this.#dismiss }));

    this.#client.on("result", (result) => this.#showResult(result));
    this.#client.on("error", (error) => this.#showFrameError(error));
    this.#client.on("state", (state) => this.#showState(state));
    setInterval(() => this.#refresh(), REFRESH_MS);
  }

  /** Opens the camera and analyses what it sees. */
  async startCamera(): Promise<void> {
    const wish = ++this.#wish;
    this.#message.hide();
    this.#status.show({ name: "connecting" }, undefined, "Waiting for the camera…");
    try {
      const { stream, mirrored } = await openCamera();
      if (wish !== this.#wish) {
        closeCamera(stream);
        return;
      }
      this.#leave();
      this.#camera = stream;
      stream.getVideoTracks()[0]?.addEventListener("ended", () => this.#cameraEnded(stream));
      this.#enter("camera", "Looking for faces…");
      await this.#stage.showCamera(stream, mirrored);
      if (wish === this.#wish) this.#client.start(this.#stage.video);
    } catch (error) {
      if (wish !== this.#wish) return;
      if (this.#view === "camera") this.stop();
      this.#showState(this.#client.state);
      const code = cameraTrouble(error, isSecureContext);
      // Trying again does not make an origin secure.
      this.#message.show(code, { wayOut: code === "insecure-origin" ? this.#dismiss : this.#tryCameraAgain });
    }
  }

  /** Analyses a picture file once. */
  async showPicture(file: File): Promise<void> {
    const wish = ++this.#wish;
    this.#leave();
    this.#enter("picture", "Looking for faces…");
    this.#status.show({ name: "connecting" }, undefined, "Analysing…");
    try {
      await this.#stage.showPicture(file);
      const image = await encodePicture(file, { maxSide: 1280, quality: 0.9 });
      if (wish === this.#wish) await this.#analysePicture(wish, image);
    } catch {
      if (wish === this.#wish) this.#refuseFile();
    }
  }

  /** Plays a video file and analyses it as it plays. */
  async showVideo(file: File): Promise<void> {
    const wish = ++this.#wish;
    this.#leave();
    this.#enter("video", "Looking for faces…");
    try {
      await this.#stage.showVideo(file);
      if (wish === this.#wish) this.#client.start(this.#stage.video);
    } catch {
      if (wish === this.#wish) this.#refuseFile();
    }
  }

  /** Goes back to the first view. */
  stop(): void {
    this.#wish += 1;
    this.#leave();
    this.#setView("welcome");
    this.#status.show(this.#client.state);
    this.#announcer.say("Stopped");
    this.#startButton.focus({ preventScroll: true });
  }

  async #analysePicture(wish: number, image: Uint8Array): Promise<void> {
    const startedAtMs = performance.now();
    this.#message.hide();
    this.#status.show({ name: "connecting" }, undefined, "Analysing…");
    try {
      const { recognition } = await this.#client.recognize(image);
      if (wish !== this.#wish || !recognition) return;
      const faces = faceViews(recognition);
      this.#stage.showFaces(faces);
      this.#panel.emptyText = "No face was found.";
      this.#panel.show(faces);
      this.#announcer.say(facesText(faces));
      this.#showClassifier(recognition);
      this.#status.show({ name: "stopped" }, undefined, `Analysed in ${Math.round(performance.now() - startedAtMs)} ms`);
    } catch (error) {
      if (wish !== this.#wish) return;
      const failure = failureOfUnary(error);
      const wayOut = { name: "Retry now", act: () => void this.#analysePicture(wish, image) };
      this.#panel.emptyText = "The picture was not analysed.";
      this.#status.show({ name: "stopped" }, undefined, "Not analysed");
      if (failure.kind === "frame") this.#message.show("frame-error", { title: "The picture could not be analysed.", text: failure.message, wayOut });
      else if (failure.kind === "refused") this.#message.show("refused", { wayOut });
      else this.#message.show(failure.reason === "session-limit" ? "session-limit" : "server-away", { text: "The picture was not analysed.", wayOut });
    }
  }

  #cameraEnded(stream: MediaStream): void {
    if (this.#camera !== stream) return;
    this.stop();
    this.#message.show("camera-missing", { title: "The camera was disconnected.", wayOut: this.#tryCameraAgain });
  }

  #refuseFile(): void {
    this.stop();
    this.#message.show("unsupported-file", { wayOut: this.#dismiss });
  }

  #enter(view: View, emptyText: string): void {
    this.#panel.emptyText = emptyText;
    this.#setView(view);
    this.#stopButton.focus({ preventScroll: true });
  }

  /** Ends what is going on: the camera is off and nothing is sent any more. */
  #leave(): void {
    this.#client.stop();
    if (this.#camera) closeCamera(this.#camera);
    this.#camera = undefined;
    this.#result = undefined;
    this.#lostAtMs = undefined;
    this.#stage.clear();
    this.#panel.show([]);
    this.#message.hide();
  }

  #setView(view: View): void {
    this.#view = view;
    document.body.dataset["view"] = view;
    const welcome = view === "welcome";
    pageElement("welcome").hidden = !welcome;
    pageElement("view").hidden = welcome;
    pageElement(welcome ? "welcome-controls" : "view-controls").append(pageElement("controls"));
    this.#stopButton.hidden = welcome;
    this.#startButton.hidden = view === "camera";
    this.#startButton.classList.toggle("primary", welcome);
  }

  #showResult(result: ResultEvent): void {
    const now = performance.now();
    const faces = faceViews(result.recognition);
    this.#stage.showFaces(faces);
    if (now - this.#panelAtMs >= PANEL_MS) {
      this.#panelAtMs = now;
      this.#panel.emptyText = "No face in view.";
      this.#panel.show(faces);
      this.#announcer.sayFaces(faces, now);
    }
    const first = this.#result === undefined;
    this.#result = result;
    this.#resultAtMs = now;
    if (first) this.#status.show(this.#client.state, result);
    this.#showClassifier(result.recognition);
    if (now - this.#errorAtMs > STALE_MS) this.#message.hide("frame-error");
  }

  #showClassifier(recognition: Recognition): void {
    if (recognition.classifierState !== ClassifierState.UNAVAILABLE) this.#message.hide("classifier-away");
    else if (this.#message.code !== "classifier-away") this.#message.show("classifier-away");
  }

  #showFrameError({ message }: FrameErrorEvent): void {
    this.#errorAtMs = performance.now();
    this.#message.show("frame-error", { text: message });
  }

  #showState(state: ClientState): void {
    // Pictures have words of their own.
    if (this.#view !== "picture") this.#status.show(state, state.name === "live" ? this.#result : undefined);
    switch (state.name) {
      case "live":
        this.#lostAtMs = undefined;
        this.#message.hide("server-away", "session-limit", "refused");
        break;
      case "reconnecting": {
        const now = performance.now();
        this.#lostAtMs ??= now;
        if (state.attempt === 1 && now - this.#lostAtMs < PATIENCE_MS) break;
        this.#message.show(state.reason === "session-limit" ? "session-limit" : "server-away", {
          countdown: state.retryInMs > 0 ? `Next attempt in ${state.retryInMs / 1000} s.` : "Trying now…",
          wayOut: { name: "Retry now", act: () => this.#client.retry() },
        });
        break;
      }
      case "failed":
        this.#message.show("refused", { text: state.message, wayOut: { name: "Try again", act: () => this.#client.retry() } });
        break;
    }
  }

  #refresh(): void {
    if (this.#view !== "camera" && this.#view !== "video") return;
    const now = performance.now();
    const fresh = now - this.#resultAtMs < STALE_MS;
    const { state } = this.#client;
    if (state.name === "stopped") return;
    if (state.name === "live") this.#status.show(state, fresh ? this.#result : undefined);
    else this.#showState(state);
    // What no longer moves with the faces misleads; a paused video has not moved either.
    if (!fresh && this.#result && !this.#stage.video.paused) {
      this.#result = undefined;
      this.#stage.showFaces([]);
      this.#panel.emptyText = state.name === "live" ? "Looking for faces…" : "Waiting for the server…";
      this.#panel.show([]);
    }
  }
}
