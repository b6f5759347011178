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
