import { Expression, type ExpressionScores } from "@emotion-recognizer/client";

/** The eight expressions in the order in which they are shown, which is that of the scores. */
export const EXPRESSIONS = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"] as const;

/** An expression's name. */
export type ExpressionName = (typeof EXPRESSIONS)[number];

/** The name of an expression; "unclassified" for none. */
export function expressionName(expression: Expression): ExpressionName | "unclassified" {
  return EXPRESSIONS[expression - 1] ?? "unclassified";
}

/** With a capital first letter. */
export function title(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** A score of 0 to 1 in whole percent. */
export function percent(score: number): string {
  return `${Math.round(Math.min(1, Math.max(0, score)) * 100)}%`;
}

/** What a face's label says: "Happiness 93%", or that it is not classified. */
export function labelText(expression: Expression, scores: ExpressionScores | undefined): string {
  const name = expressionName(expression);
  if (name === "unclassified" || !scores) return "Not classified";
  return `${title(name)} ${percent(scores[name])}`;
}
