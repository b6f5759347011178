/**
 * Colours that stay apart for people with the common kinds of colour blindness,
 * and from most pictures: Okabe and Ito, "Color Universal Design" (2008).
 */
const COLOURS = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#0072b2"] as const;

/** The colour of a track: always the same one for the same number. */
export function trackColour(track: number): string {
  return COLOURS[(((track - 1) % COLOURS.length) + COLOURS.length) % COLOURS.length]!;
}

/** Black or white, whichever is easier to read on a colour "#rrggbb". */
export function textOn(colour: string): "#000000" | "#ffffff" {
  // Equal contrast with black and with white (WCAG 2): (l + 0.05)^2 = 0.05 * 1.05.
  return luminance(colour) > 0.179 ? "#000000" : "#ffffff";
}

/** Relative luminance of "#rrggbb", 0 to 1 (WCAG 2). */
export function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((start) => {
    const part = Number.parseInt(colour.slice(start, start + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The line of an expression in a timeline: its colour on light and on dark ground, its width in pixels and its dashes. */
export interface LineStyle {
  readonly light: string;
  readonly dark: string;
  readonly width: number;
  readonly dash: readonly number[];
}

/** The lines of the expressions, in their order; colours after the palette above, width and dashes tell them apart as well. */
export const EXPRESSION_LINES: readonly LineStyle[] = [
  { light: "#5f6875", dark: "#a6b0c1", width: 1.5, dash: [] },
  { light: "#b35900", dark: "#e69f00", width: 3.5, dash: [] },
  { light: "#7a43b6", dark: "#c9a2ff", width: 2, dash: [10, 4] },
  { light: "#0072b2", dark: "#56b4e9", width: 2, dash: [5, 4] },
  { light: "#c0342b", dark: "#ff8d84", width: 3, dash: [3, 3] },
  { light: "#00785a", dark: "#3ccf9f", width: 2, dash: [10, 3, 2, 3] },
  { light: "#a3306f", dark: "#f092c5", width: 2, dash: [2, 5] },
  { light: "#6b5310", dark: "#f0e442", width: 2, dash: [6, 3, 2, 3, 2, 3] },
];
