import {
  ClassifierState,
  connect,
  encodePicture,
  failureOfUnary,
  type ClientState,
  type Failure,
  type FrameErrorEvent,
  type Recognition,
  type ResultEvent,
} from "@emotion-recognizer/client";

import { Announcer, facesText } from "./announcer.js";
import { CameraPicker } from "./camera-picker.js";
import { canShareScreen, closeStream, openCamera, openScreen } from "./camera.js";
import { Clip } from "./clip.js";
import { download, fileName } from "./download.js";
import { acceptDrops, acceptFiles, acceptPastes } from "./file-input.js";
import { faceViews, type FaceView } from "./face-view.js";
import { FacesPanel } from "./faces-panel.js";
import { Message, type MessageDetails } from "./message.js";
import { pageElement } from "./page-element.js";
import { HISTORY_SECONDS, ScoreHistory } from "./score-history.js";
import { ScoreLog, toCsv, toJson } from "./score-log.js";
import { SettingsDialog } from "./settings-dialog.js";
import { clientOptions, SettingsStore } from "./settings.js";
import { Stage } from "./stage.js";
import { StatisticsPanel } from "./statistics.js";
import { StatusLine } from "./status-line.js";
import { Timeline } from "./timeline.js";
import { allowCameraText, cameraTrouble, connectionTrouble, screenTrouble, type TroubleCode } from "./trouble.js";

/** How often the status line changes, in milliseconds. */
const REFRESH_MS = 500;
/** How often the live timeline and the numbers beside it change, in milliseconds. */
const FIGURES_MS = 1000;
/** How often the panel changes at most. */
const PANEL_MS = 200;
/** Boxes older than this are taken away, and errors older than this forgotten. */
const STALE_MS = 1500;
/** A connection that is back sooner is not worth a message. */
const PATIENCE_MS = 1000;

type View = "welcome" | "camera" | "screen" | "picture" | "video";

/** The page: what the user asks for, what the client tells, and what is shown of both. */
export class App {
  readonly #settings = new SettingsStore();
  readonly #client = connect(location.origin, clientOptions(this.#settings.current));
  readonly #stage = new Stage({ select: (number) => this.#select(number), frame: (time) => this.#showClipAt(time) });
  readonly #panel = new FacesPanel((number) => this.#select(number));
  readonly #timeline = new Timeline((seconds) => this.#clip.seek(seconds));
  readonly #statistics = new StatisticsPanel();
  readonly #cameraPicker = new CameraPicker((deviceId) => {
    this.#settings.change({ cameraId: deviceId });
    void this.startCamera();
  });
  readonly #status = new StatusLine();
  readonly #message = new Message();
  readonly #announcer = new Announcer();
  readonly #clip = new Clip({
    client: this.#client,
    settings: this.#settings,
    stage: this.#stage,
    status: this.#status,
    message: this.#message,
    announcer: this.#announcer,
  });
  readonly #startButton = pageElement<HTMLButtonElement>("start-camera");
  readonly #screenButton = pageElement<HTMLButtonElement>("share-screen");
  readonly #stopButton = pageElement<HTMLButtonElement>("stop");
  readonly #mirrorButton = pageElement<HTMLButtonElement>("mirror");
  readonly #exportButtons = ["export-csv", "export-json"].map((id) => pageElement<HTMLButtonElement>(id));

  readonly #dismiss = { name: "Dismiss", act: () => this.#message.hide() };
  readonly #tryCameraAgain = { name: "Try again", act: () => void this.startCamera() };
  readonly #tryScreenAgain = { name: "Try again", act: () => void this.shareScreen() };

  #view: View = "welcome";
  /** Counts what the user asked for: work begun for an earlier wish gives up. */
  #wish = 0;
  #stream: MediaStream | undefined;
  #facesUser = true;
  /** Ends what is under way for a picture or a clip. */
  #abort = new AbortController();

  /** The faces shown last, and the one that the user chose to look at more closely. */
  #faces: readonly FaceView[] = [];
  #chosen: number | undefined;
  readonly #history = new ScoreHistory();
  readonly #log = new ScoreLog();
  #startedAtMs = 0;

  #result: ResultEvent | undefined;
  #resultAtMs = 0;
  #panelAtMs = 0;
  #figuresAtMs = -Infinity;
  #errorAtMs = 0;
  #lostAtMs: number | undefined;

  constructor() {
    this.#startButton.addEventListener("click", () => void this.startCamera());
    this.#screenButton.addEventListener("click", () => void this.shareScreen());
    this.#screenButton.hidden = !canShareScreen();
    this.#stopButton.addEventListener("click", () => this.stop());
    this.#mirrorButton.addEventListener("click", () => this.#toggleMirror());
    pageElement("save-view").addEventListener("click", () => void this.#saveView());
    pageElement("export-csv").addEventListener("click", () => this.#export("csv"));
    pageElement("export-json").addEventListener("click", () => this.#export("json"));
    pageElement("clear-all").addEventListener("click", () => this.clearAll());

    const choose = { picture: (file: File) => void this.showPicture(file), video: (file: File) => void this.showVideo(file) };
    const refuse = () => this.#message.show("unsupported-file", { wayOut: this.#dismiss });
    acceptFiles(pageElement<HTMLInputElement>("picture-file"), choose.picture);
    acceptFiles(pageElement<HTMLInputElement>("video-file"), choose.video);
    acceptDrops(pageElement("drop"), choose, refuse);
    acceptPastes(choose, refuse);

    new SettingsDialog(this.#settings, () => this.#client.update(clientOptions(this.#settings.current)));
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
      const { stream, deviceId, facesUser } = await openCamera(this.#settings.current.cameraId);
      if (wish !== this.#wish) {
        closeStream(stream);
        return;
      }
      this.#facesUser = facesUser;
      await this.#showStream(wish, stream, "camera");
      if (wish === this.#wish) void this.#cameraPicker.show(deviceId);
    } catch (error) {
      if (wish !== this.#wish) return;
      const code = cameraTrouble(error, isSecureContext);
      this.#refuseStream("camera", code, this.#tryCameraAgain, code === "camera-denied" ? { text: allowCameraText(navigator.userAgent) } : {});
    }
  }

  /** Lets the user choose a screen and analyses what it shows. */
  async shareScreen(): Promise<void> {
    const wish = ++this.#wish;
    this.#message.hide();
    this.#status.show({ name: "connecting" }, undefined, "Waiting for the screen…");
    try {
      const stream = await openScreen();
      if (wish !== this.#wish) {
        closeStream(stream);
        return;
      }
      await this.#showStream(wish, stream, "screen");
    } catch (error) {
      if (wish === this.#wish) this.#refuseStream("screen", screenTrouble(error, isSecureContext), this.#tryScreenAgain);
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

  /** Analyses a video file frame by frame; it can be played and searched all the while. */
  async showVideo(file: File): Promise<void> {
    const wish = ++this.#wish;
    this.#leave();
    this.#enter("video", "Looking for faces…");
    const wanted = () => wish === this.#wish;
    await this.#clip.show(file, this.#abort.signal, {
      wanted,
      found: (time, faces, recognition) => {
        this.#log.add(faces, time);
        this.#showClassifier(recognition);
      },
      refused: () => this.#refuseFile(),
      failed: (failure) => this.#showFailure(failure, "The rest of the video was not analysed.", undefined),
    });
    if (wanted()) this.#refresh();
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

  /** Forgets all scores; what is live goes on from the beginning. */
  clearAll(): void {
    this.#forget();
    if (this.#view === "picture" || this.#view === "video") this.stop();
    this.#announcer.say("All scores are cleared");
  }

  async #showStream(wish: number, stream: MediaStream, view: "camera" | "screen"): Promise<void> {
    this.#leave();
    this.#stream = stream;
    const track = stream.getVideoTracks()[0]!;
    track.addEventListener("ended", () => this.#streamEnded(stream, view));
    this.#enter(view, "Looking for faces…");
    this.#startedAtMs = performance.now();
    await this.#stage.showStream(stream, view === "camera" && this.#facesUser && this.#settings.current.mirror);
    this.#showMirror();
    if (wish === this.#wish) this.#client.start(track);
  }

  #refuseStream(view: "camera" | "screen", code: TroubleCode, again: MessageDetails["wayOut"], details: MessageDetails = {}): void {
    if (this.#view === view) this.stop();
    this.#showState(this.#client.state);
    // Trying again makes no origin secure and no browser newer.
    const hopeless = code === "insecure-origin" || code === "unsupported-browser";
    this.#message.show(code, { ...details, wayOut: hopeless ? this.#dismiss : again });
  }

  #streamEnded(stream: MediaStream, view: "camera" | "screen"): void {
    if (this.#stream !== stream) return;
    this.stop();
    // Whoever ends the sharing of a screen in the browser's own bar needs no message.
    if (view === "camera") this.#message.show("camera-missing", { title: "The camera was disconnected.", wayOut: this.#tryCameraAgain });
  }

  async #analysePicture(wish: number, image: Uint8Array): Promise<void> {
    const startedAtMs = performance.now();
    this.#message.hide();
    this.#status.show({ name: "connecting" }, undefined, "Analysing…");
    try {
      const { recognition } = await this.#client.recognize(image, this.#abort.signal);
      if (wish !== this.#wish || !recognition) return;
      this.#faces = faceViews(recognition);
      this.#log.add(this.#faces, 0);
      this.#stage.showFaces(this.#faces);
      this.#panel.emptyText = "No face was found.";
      this.#showPanel();
      this.#announcer.say(facesText(this.#faces));
      this.#showClassifier(recognition);
      this.#status.show({ name: "stopped" }, undefined, `Analysed in ${Math.round(performance.now() - startedAtMs)} ms`);
    } catch (error) {
      if (wish !== this.#wish) return;
      this.#panel.emptyText = "The picture was not analysed.";
      this.#status.show({ name: "stopped" }, undefined, "Not analysed");
      this.#showFailure(failureOfUnary(error), "The picture was not analysed.", () => void this.#analysePicture(wish, image));
    }
  }

  #showFailure(failure: Failure, text: string, again: (() => void) | undefined): void {
    const wayOut = again ? { name: "Retry now", act: again } : this.#dismiss;
    if (failure.kind === "frame") this.#message.show("frame-error", { title: text, text: failure.message, wayOut });
    else this.#message.show(connectionTrouble(failure.reason), failure.kind === "lost" ? { text, wayOut } : { wayOut });
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
    this.#abort.abort();
    this.#abort = new AbortController();
    if (this.#stream) closeStream(this.#stream);
    this.#stream = undefined;
    this.#lostAtMs = undefined;
    this.#clip.close();
    this.#stage.clear();
    this.#cameraPicker.hide();
    this.#forget();
    this.#message.hide();
  }

  #forget(): void {
    this.#result = undefined;
    this.#faces = [];
    this.#chosen = undefined;
    this.#history.clear();
    this.#log.clear();
    this.#startedAtMs = performance.now();
    this.#timeline.clear();
    this.#statistics.clear();
    this.#showPanel();
  }

  #setView(view: View): void {
    this.#view = view;
    document.body.dataset["view"] = view;
    const welcome = view === "welcome";
    const live = view === "camera" || view === "screen";
    pageElement("welcome").hidden = !welcome;
    pageElement("view").hidden = welcome;
    pageElement(welcome ? "welcome-controls" : "view-controls").prepend(pageElement("controls"));
    this.#stopButton.hidden = welcome;
    this.#startButton.hidden = view === "camera";
    this.#startButton.classList.toggle("primary", welcome);
    this.#mirrorButton.hidden = view !== "camera";
    pageElement("timeline-panel").hidden = view === "picture";
    pageElement("statistics-panel").hidden = !live;
  }

  #select(number: number): void {
    this.#chosen = number;
    this.#figuresAtMs = -Infinity;
    this.#showPanel();
    this.#refresh();
  }

  /** The face that the user chose while it is there, or else the first one. */
  get #selected(): number | undefined {
    return this.#faces.some((face) => face.number === this.#chosen) ? this.#chosen : this.#faces[0]?.number;
  }

  #showPanel(): void {
    this.#panel.show(this.#faces, this.#selected);
    this.#stage.selected = this.#faces.length > 1 ? this.#selected : undefined;
    for (const button of this.#exportButtons) button.disabled = this.#log.length === 0;
  }

  #toggleMirror(): void {
    this.#stage.mirrored = !this.#stage.mirrored;
    // A camera that looks away is no mirror, whatever is remembered.
    if (this.#facesUser) this.#settings.change({ mirror: this.#stage.mirrored });
    this.#showMirror();
  }

  #showMirror(): void {
    this.#mirrorButton.ariaPressed = String(this.#stage.mirrored);
  }

  async #saveView(): Promise<void> {
    try {
      download(await this.#stage.photograph(), fileName("view", "png", new Date()));
    } catch {
      this.#announcer.say("There is nothing to save yet");
    }
  }

  #export(kind: "csv" | "json"): void {
    const file =
      kind === "csv"
        ? new Blob([toCsv(this.#log.rows())], { type: "text/csv" })
        : new Blob([toJson(this.#log.rows())], { type: "application/json" });
    download(file, fileName("scores", kind, new Date()));
  }

  #showResult(result: ResultEvent): void {
    const now = performance.now();
    this.#faces = faceViews(result.recognition);
    this.#stage.followFaces(this.#faces, result.capturedAtMs);
    this.#history.add(this.#faces, now / 1000);
    this.#log.add(this.#faces, Math.max(0, result.capturedAtMs - this.#startedAtMs) / 1000);
    this.#statistics.add(result);
    if (now - this.#panelAtMs >= PANEL_MS) {
      this.#panelAtMs = now;
      this.#panel.emptyText = "No face in view.";
      this.#showPanel();
      this.#announcer.sayFaces(this.#faces, now);
    }
    const first = this.#result === undefined;
    this.#result = result;
    this.#resultAtMs = now;
    if (first) this.#status.show(this.#client.state, result);
    this.#showClassifier(result.recognition);
    if (now - this.#errorAtMs > STALE_MS) this.#message.hide("frame-error");
  }

  #showClipAt(time: number): void {
    const faces = this.#clip.facesAt(time);
    if (!faces) return;
    this.#faces = faces;
    this.#stage.showFaces(this.#faces);
    const now = performance.now();
    if (now - this.#panelAtMs < PANEL_MS && !this.#stage.video.paused) return;
    this.#panelAtMs = now;
    this.#panel.emptyText = "No face at this moment.";
    this.#showPanel();
    this.#announcer.sayFaces(this.#faces, now);
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
    // Pictures and clips have words of their own.
    if (this.#view !== "picture" && this.#view !== "video") this.#status.show(state, state.name === "live" ? this.#result : undefined);
    switch (state.name) {
      case "live":
        this.#lostAtMs = undefined;
        this.#message.hide("server-away", "reconnecting", "session-limit", "signed-out", "refused");
        break;
      case "reconnecting": {
        this.#panel.emptyText = "Waiting for the server…";
        const now = performance.now();
        this.#lostAtMs ??= now;
        if (state.attempt === 1 && now - this.#lostAtMs < PATIENCE_MS) break;
        this.#message.show(connectionTrouble(state.reason), {
          countdown: state.retryInMs > 0 ? `Next attempt in ${state.retryInMs / 1000} s.` : "Trying now…",
          wayOut: { name: "Retry now", act: () => this.#client.retry() },
        });
        break;
      }
      case "failed":
        this.#panel.emptyText = "The server is not connected.";
        this.#message.show(connectionTrouble(state.reason), { wayOut: { name: "Try again", act: () => this.#client.retry() } });
        break;
    }
  }

  #refresh(): void {
    if (this.#view === "video") this.#refreshClip();
    if (this.#view !== "camera" && this.#view !== "screen") return;
    const now = performance.now();
    const fresh = now - this.#resultAtMs < STALE_MS;
    const { state } = this.#client;
    if (state.name === "stopped") return;
    if (state.name === "live") this.#status.show(state, fresh ? this.#result : undefined);
    else this.#showState(state);
    this.#showFigures(now, fresh && state.name === "live" ? this.#result : undefined);
    // What no longer moves with the faces misleads.
    if (!fresh && this.#result) {
      this.#result = undefined;
      this.#faces = [];
      this.#stage.showFaces([]);
      this.#panel.emptyText = state.name === "live" ? "Looking for faces…" : "Waiting for the server…";
      this.#showPanel();
    }
  }

  #showFigures(now: number, result: ResultEvent | undefined): void {
    if (now - this.#figuresAtMs < FIGURES_MS - 50) return;
    this.#figuresAtMs = now;
    this.#statistics.show(result);
    const face = this.#selected ?? this.#chosen;
    const to = now / 1000;
    this.#timeline.show(
      { columns: face === undefined ? undefined : this.#history.of(face), from: to - HISTORY_SECONDS, to, name: face === undefined ? "no face" : `face ${face}` },
      now,
    );
  }

  #refreshClip(): void {
    const timeline = this.#clip.timeline(this.#selected, this.#chosen);
    if (!timeline) return;
    if (this.#stage.video.paused) this.#showClipAt(timeline.position);
    this.#timeline.show(timeline, performance.now());
  }
}
