import { EXPRESSIONS, percent, title } from "./expression.js";
import { pageElement } from "./page-element.js";
import type { TimelineChart, TimelineView } from "./timeline-chart.js";

/** The timeline of a face's scores. The chart and its library are loaded when they are first needed. */
export class Timeline {
  readonly #element = pageElement("timeline");
  readonly #title = pageElement("timeline-face");
  #chart: TimelineChart | undefined;
  #loading: Promise<void> | undefined;
  #view: TimelineView | undefined;
  #labelledAtMs = -Infinity;

  /** @param seek is called with the time, in seconds, that is clicked in a clip's timeline. */
  constructor(private readonly seek: (seconds: number) => void) {}

  /** Shows scores; `nowMs` on performance.now()'s clock. */
  show(view: TimelineView, nowMs: number): void {
    this.#view = view;
    if (this.#title.textContent !== view.name) this.#title.textContent = view.name;
    this.#chart?.show(view);
    this.#loading ??= this.#load();
    if (nowMs - this.#labelledAtMs > 5000) {
      this.#labelledAtMs = nowMs;
      this.#element.setAttribute("aria-label", timelineText(view));
    }
  }

  clear(): void {
    this.#title.textContent = "";
    this.#labelledAtMs = -Infinity;
    this.#view = undefined;
    this.#chart?.show({ columns: undefined, from: 0, to: 60, name: "" });
  }

  async #load(): Promise<void> {
    const { TimelineChart } = await import("./timeline-chart.js");
    this.#chart = new TimelineChart(this.#element, pageElement("timeline-legend"), this.seek);
    if (this.#view) this.#chart.show(this.#view);
  }
}

/** A timeline in words: the means of the scores that stand out. */
export function timelineText({ columns, name }: Pick<TimelineView, "columns" | "name">): string {
  if (!columns) return "Scores over time: none yet";
  const means = EXPRESSIONS.map((expression, index) => {
    const known = columns.scores[index]!.filter((score) => score !== null);
    return { expression, mean: known.reduce((sum, score) => sum + score, 0) / Math.max(known.length, 1) };
  })
    .filter(({ mean }) => mean >= 0.1)
    .sort((a, b) => b.mean - a.mean);
  const text = means.map(({ expression, mean }) => `${title(expression)} ${percent(mean)}`).join(", ");
  return `Scores over time, ${name}. On average: ${text || "nothing stands out"}`;
}
