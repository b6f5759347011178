import type { ResultEvent } from "@emotion-recognizer/client";

import { pageElement } from "./page-element.js";

/** The stages of a round trip, in their order. */
export const STAGES = ["waiting", "decoding", "detecting", "classifying", "other", "network"] as const;

/** A stage's name. */
export type StageName = (typeof STAGES)[number];

/** Weight of the newest frame in the means. */
const NEWEST_WEIGHT = 0.12;

/** The stages of one round trip, in milliseconds; together they are the round trip. */
export function stagesOf({ timings, roundTripMs }: Pick<ResultEvent, "timings" | "roundTripMs">): Record<StageName, number> {
  const { waitUs = 0, decodeUs = 0, detectUs = 0, classifyUs = 0, totalUs = 0 } = timings ?? {};
  const server = Math.min(totalUs / 1000, roundTripMs);
  const [waiting, decoding, detecting, classifying] = [waitUs, decodeUs, detectUs, classifyUs].map((us) => us / 1000) as [number, number, number, number];
  return {
    waiting,
    decoding,
    detecting,
    classifying,
    other: Math.max(0, server - waiting - decoding - detecting - classifying),
    network: roundTripMs - server,
  };
}

/** The means of the newest round trips. */
export class MeanStages {
  #means: Record<StageName, number> | undefined;

  /** Takes in a result. */
  add(result: Pick<ResultEvent, "timings" | "roundTripMs">): void {
    const newest = stagesOf(result);
    const before = this.#means ?? newest;
    this.#means = Object.fromEntries(
      STAGES.map((stage) => [stage, before[stage] + NEWEST_WEIGHT * (newest[stage] - before[stage])]),
    ) as Record<StageName, number>;
  }

  /** The means, in milliseconds; undefined before the first result. */
  get current(): Readonly<Record<StageName, number>> | undefined {
    return this.#means;
  }

  clear(): void {
    this.#means = undefined;
  }
}

/** The panel with rates, round trip and its stages. */
export class StatisticsPanel {
  readonly #stages = new MeanStages();

  /** Takes in a result; shown by `show`. */
  add(result: ResultEvent): void {
    this.#stages.add(result);
  }

  /** Shows the newest numbers. */
  show(result: ResultEvent | undefined): void {
    const rate = (perSecond: number | undefined) => (perSecond === undefined ? "–" : `${perSecond.toFixed(0)} / s`);
    setText("sent-rate", rate(result?.sentPerSecond));
    setText("answered-rate", rate(result?.framesPerSecond));
    setText("target-rate", rate(result?.targetPerSecond));
    setText("dropped-count", result ? String(result.dropped) : "–");
    const stages = result && this.#stages.current;
    const total = stages ? STAGES.reduce((sum, stage) => sum + stages[stage], 0) : 0;
    setText("round-trip", stages ? `${total.toFixed(0)} ms` : "–");
    for (const stage of STAGES) {
      setText(`stage-${stage}`, stages ? `${stages[stage].toFixed(1)} ms` : "–");
      pageElement(`stage-${stage}-bar`).style.flexGrow = String(stages ? Math.max(0.001, stages[stage] / Math.max(total, 1)) : 0);
    }
  }

  clear(): void {
    this.#stages.clear();
    this.show(undefined);
  }
}

function setText(id: string, text: string): void {
  const element = pageElement(id);
  if (element.textContent !== text) element.textContent = text;
}
