import { connect } from "@emotion-recognizer/client";

import { Announcer } from "./announcer.js";
import { canShareScreen } from "./camera.js";
import { Clip } from "./clip.js";
import { ExportControls } from "./export-controls.js";
import { acceptDrops, acceptFiles, acceptPastes } from "./file-input.js";
import { Live, type LiveView } from "./live.js";
import { Message } from "./message.js";
import { pageElement } from "./page-element.js";
import type { PageParts } from "./page-parts.js";
import { Picture } from "./picture.js";
import { ScoreLog } from "./score-log.js";
import { SettingsDialog } from "./settings-dialog.js";
import { clientOptions, SettingsStore } from "./settings.js";
import { ShownFaces } from "./shown-faces.js";
import { Stage } from "./stage.js";
import { StatusLine } from "./status-line.js";
import { Timeline } from "./timeline.js";

/** How often what changes with time alone is shown anew, in milliseconds. */
const REFRESH_MS = 500;

type View = "welcome" | "picture" | "video" | LiveView;

/** The page: what the user asks for, one source at a time. */
export class App {
  readonly #startButton = pageElement<HTMLButtonElement>("start-camera");
  readonly #screenButton = pageElement<HTMLButtonElement>("share-screen");
  readonly #stopButton = pageElement<HTMLButtonElement>("stop");

  readonly #parts: PageParts;
  readonly #live: Live;
  readonly #picture: Picture;
  readonly #clip: Clip;

  #view: View = "welcome";
  /** What the user asked for last: work begun for an earlier wish is aborted. */
  #wish = new AbortController();

  constructor() {
    const settings = new SettingsStore();
    const client = connect(location.origin, clientOptions(settings.current));
    const announcer = new Announcer();
    const log = new ScoreLog();
    const stage = new Stage({ select: (number) => faces.choose(number), frame: (time) => this.#clip.showAt(time) });
    const exports = new ExportControls(log, stage, announcer);
    const faces = new ShownFaces(stage, announcer, (chosen) => {
      exports.refresh();
      if (chosen) this.#showTimeline();
    });
    const timeline = new Timeline((seconds) => this.#clip.seek(seconds));
    this.#parts = { client, settings, stage, faces, timeline, log, announcer, status: new StatusLine(), message: new Message() };
    this.#live = new Live(this.#parts, {
      enter: (view) => this.#enter(view),
      stop: () => this.stop(),
      start: (view) => this.startLive(view),
    });
    this.#picture = new Picture(this.#parts);
    this.#clip = new Clip(this.#parts);

    this.#startButton.addEventListener("click", () => this.startLive("camera"));
    this.#screenButton.addEventListener("click", () => this.startLive("screen"));
    this.#screenButton.hidden = !canShareScreen();
    this.#stopButton.addEventListener("click", () => this.stop());
    pageElement("clear-all").addEventListener("click", () => this.clearAll());

    const choose = { picture: (file: File) => this.showPicture(file), video: (file: File) => this.showVideo(file) };
    const refuse = () => this.#refuseFile();
    acceptFiles(pageElement<HTMLInputElement>("picture-file"), choose.picture);
    acceptFiles(pageElement<HTMLInputElement>("video-file"), choose.video);
    acceptDrops(pageElement("drop"), choose, refuse);
    acceptPastes(choose, refuse);

    new SettingsDialog(settings, () => client.update(clientOptions(settings.current)));
    setInterval(() => this.#refresh(), REFRESH_MS);
  }

  /** Opens the camera, or lets the user choose a screen, and analyses what it shows; what is shown before stays until then. */
  startLive(view: LiveView): void {
    void this.#live.start(view, this.#newWish());
  }

  /** Analyses a picture file once. */
  showPicture(file: File): void {
    const signal = this.#newWish();
    this.#enter("picture");
    void this.#picture.show(file, signal, () => this.#cannotShow());
  }

  /** Analyses a video file frame by frame; it can be played and searched all the while. */
  showVideo(file: File): void {
    const signal = this.#newWish();
    this.#enter("video");
    void this.#clip.show(file, signal, () => this.#cannotShow());
  }

  /** Goes back to the first view. */
  stop(): void {
    this.#newWish();
    this.#leave();
    this.#setView("welcome");
    const { announcer, client, status } = this.#parts;
    status.show(client.state);
    announcer.say("Stopped");
    this.#startButton.focus({ preventScroll: true });
  }

  /** Forgets all scores; what is live goes on from the beginning. */
  clearAll(): void {
    this.#forget();
    if (this.#view === "picture" || this.#view === "video") this.stop();
    this.#parts.announcer.say("All scores are cleared");
  }

  #newWish(): AbortSignal {
    this.#wish.abort();
    this.#wish = new AbortController();
    return this.#wish.signal;
  }

  #enter(view: View): void {
    this.#leave();
    this.#parts.faces.emptyText = "Looking for faces…";
    this.#setView(view);
    this.#stopButton.focus({ preventScroll: true });
  }

  #leave(): void {
    this.#live.leave();
    this.#clip.close();
    this.#parts.stage.clear();
    this.#forget();
    this.#parts.message.hide();
  }

  #forget(): void {
    const { faces, log, timeline } = this.#parts;
    log.clear();
    faces.clear();
    timeline.clear();
    this.#live.forget();
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
    pageElement("mirror").hidden = view !== "camera";
    pageElement("timeline-panel").hidden = view === "picture";
    pageElement("statistics-panel").hidden = !live;
  }

  #cannotShow(): void {
    this.stop();
    this.#refuseFile();
  }

  #refuseFile(): void {
    const { message } = this.#parts;
    message.show("unsupported-file", { wayOut: message.dismiss });
  }

  #refresh(): void {
    this.#live.refresh();
    this.#clip.refresh();
  }

  #showTimeline(): void {
    this.#live.showFigures();
    this.#clip.refresh();
  }
}
