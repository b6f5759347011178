import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { EXPRESSIONS, title } from "./expression.js";
import { lineEnds } from "./line-ends.js";
import { EXPRESSION_LINES } from "./palette.js";
import type { ScoreColumns } from "./score-history.js";

const HEIGHT = 190;
const FONT = "12px system-ui, sans-serif";
/** Room for the longest name at the end of its line, and the height of one. */
const NAME_WIDTH = 78;
const NAME_HEIGHT = 14;

/** What a timeline shows. */
export interface TimelineView {
  readonly columns: ScoreColumns | undefined;
  /** The span of time shown, in seconds. */
  readonly from: number;
  readonly to: number;
  /** The face, in words. */
  readonly name: string;
  /** Where a clip is, in seconds; undefined for live scores. */
  readonly position?: number | undefined;
}

/** The chart of a timeline: a line for each expression, told apart by colour, by width or dashes, and by its name where it ends. */
export class TimelineChart {
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  #plot: uPlot;
  #view: TimelineView | undefined;

  constructor(
    private readonly element: HTMLElement,
    private readonly legend: HTMLElement,
    private readonly seek: (seconds: number) => void,
  ) {
    this.#plot = this.#create();
    this.#dark.addEventListener("change", () => {
      this.#plot.destroy();
      this.#plot = this.#create();
      if (this.#view) this.show(this.#view);
    });
    new ResizeObserver(([entry]) => {
      const { width } = entry!.contentRect;
      if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
    }).observe(element);
  }

  show(view: TimelineView): void {
    this.#view = view;
    const { times, scores } = view.columns ?? { times: [], scores: EXPRESSIONS.map(() => []) };
    const zero = this.#isClip() ? 0 : view.to;
    this.element.classList.toggle("seekable", this.#isClip());
    this.#plot.batch(() => {
      this.#plot.setData([times.map((time) => time - zero), ...scores] as unknown as uPlot.AlignedData, false);
      this.#plot.setScale("x", { min: view.from - zero, max: Math.max(view.to, view.from + 0.1) - zero });
    });
  }

  #create(): uPlot {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const lines = EXPRESSION_LINES.map((line) => ({ ...line, colour: this.#dark.matches ? line.dark : line.light }));
    this.#writeLegend(lines.map((line) => line.colour));
    const axis = {
      stroke: colour("--soft"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: FONT,
      gap: 4,
    };
    return new uPlot(
      {
        width: Math.max(this.element.clientWidth, 200),
        height: HEIGHT,
        padding: [8, NAME_WIDTH, 0, 0],
        legend: { show: false },
        cursor: {
          show: true,
          y: false,
          points: { show: false },
          drag: { x: false, y: false },
          bind: { dblclick: () => null },
        },
        scales: { x: { time: false }, y: { range: [0, 1] } },
        axes: [
          { ...axis, size: 26, space: 60, values: (_, ticks) => ticks.map((tick) => this.#timeText(tick)) },
          { ...axis, size: 44, splits: [0, 0.25, 0.5, 0.75, 1], values: (_, ticks) => ticks.map((tick) => `${Math.round(tick * 100)}%`) },
        ],
        series: [
          {},
          ...lines.map((line) => ({ stroke: line.colour, dash: [...line.dash], width: line.width, points: { show: false }, spanGaps: false })),
        ],
        hooks: {
          ready: [
            (plot) => {
              plot.over.addEventListener("click", (event) => {
                if (this.#isClip()) this.seek(plot.posToVal(event.offsetX, "x"));
              });
            },
          ],
          draw: [
            (plot) => this.#drawPosition(plot, colour("--text")),
            (plot) => drawNames(plot, lines.map((line) => line.colour)),
          ],
        },
      },
      [[], ...EXPRESSIONS.map(() => [])] as unknown as uPlot.AlignedData,
      this.element,
    );
  }

  #isClip(): boolean {
    return this.#view?.position !== undefined;
  }

  /** Live times count back from now, those of clips from their beginning. */
  #timeText(seconds: number): string {
    if (this.#isClip()) return `${Math.round(seconds * 10) / 10} s`;
    return seconds === 0 ? "now" : `−${Math.round(-seconds)} s`;
  }

  #drawPosition(plot: uPlot, colour: string): void {
    const position = this.#view?.position;
    if (position === undefined) return;
    const x = Math.round(plot.valToPos(position, "x", true));
    const { ctx: context, bbox } = plot;
    context.save();
    context.setLineDash([]);
    context.strokeStyle = colour;
    context.lineWidth = 2 * devicePixelRatio;
    context.beginPath();
    context.moveTo(x, bbox.top);
    context.lineTo(x, bbox.top + bbox.height);
    context.stroke();
    context.restore();
  }

  #writeLegend(colours: readonly string[]): void {
    const svg = "http://www.w3.org/2000/svg";
    this.legend.replaceChildren(
      ...EXPRESSIONS.map((name, index) => {
        const sample = document.createElementNS(svg, "svg");
        sample.setAttribute("viewBox", "0 0 28 8");
        sample.setAttribute("aria-hidden", "true");
        const line = document.createElementNS(svg, "path");
        line.setAttribute("d", "M0 4h28");
        line.setAttribute("stroke", colours[index]!);
        line.setAttribute("stroke-width", String(EXPRESSION_LINES[index]!.width));
        line.setAttribute("stroke-dasharray", EXPRESSION_LINES[index]!.dash.join(" "));
        sample.append(line);
        const item = document.createElement("li");
        item.append(sample, title(name));
        return item;
      }),
    );
  }
}

/** Writes names where the lines end. */
function drawNames({ ctx: context, data, bbox, valToPos }: uPlot, colours: readonly string[]): void {
  const [times, ...scores] = data;
  const last = times.at(-1);
  if (last === undefined) return;
  const x = valToPos(last, "x", true) + 6 * devicePixelRatio;
  context.save();
  context.setLineDash([]);
  context.font = FONT.replace("12px", `${12 * devicePixelRatio}px`);
  context.textAlign = "left";
  context.textBaseline = "middle";
  const ends = lineEnds(scores.map((column) => column.at(-1)), bbox.height, NAME_HEIGHT * devicePixelRatio);
  for (const { index, y } of ends) {
    context.fillStyle = colours[index]!;
    context.fillText(title(EXPRESSIONS[index]!), x, bbox.top + y);
  }
  context.restore();
}
