import type { Announcer } from "./announcer.js";
import { download, fileName } from "./download.js";
import { pageElement } from "./page-element.js";
import { toCsv, toJson, type ScoreLog } from "./score-log.js";
import type { Stage } from "./stage.js";

/** The buttons that save the scores and the view. */
export class ExportControls {
  readonly #scores = ["export-csv", "export-json"].map((id) => pageElement<HTMLButtonElement>(id));

  constructor(
    private readonly log: ScoreLog,
    private readonly stage: Stage,
    private readonly announcer: Announcer,
  ) {
    pageElement("save-view").addEventListener("click", () => void this.#saveView());
    pageElement("export-csv").addEventListener("click", () => this.#save("csv", "text/csv", toCsv(log.rows())));
    pageElement("export-json").addEventListener("click", () => this.#save("json", "application/json", toJson(log.rows())));
  }

  /** Offers the scores if there are any. */
  refresh(): void {
    for (const button of this.#scores) button.disabled = this.log.length === 0;
  }

  #save(kind: string, type: string, text: string): void {
    download(new Blob([text], { type }), fileName("scores", kind, new Date()));
  }

  async #saveView(): Promise<void> {
    try {
      download(await this.stage.photograph(), fileName("view", "png", new Date()));
    } catch {
      this.announcer.say("There is nothing to save yet");
    }
  }
}
