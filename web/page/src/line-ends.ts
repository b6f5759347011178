/** Lines that end lower than this have no name at their end: there, they would all be. */
const LEAST = 0.1;

/** Where the name of a line is written. */
export interface LineEnd {
  /** The line's place among all lines. */
  readonly index: number;
  /** The name's middle, from the top of the plot. */
  readonly y: number;
}

/**
 * Places names at the ends of lines, `gap` apart at least, from the highest
 * line to the lowest.
 *
 * @param values where lines end, 0 to 1; null for those that do not.
 * @param height of the plot, in any unit, which is that of the places, too.
 */
export function lineEnds(values: readonly (number | null | undefined)[], height: number, gap: number): LineEnd[] {
  const ends = values
    .map((value, index) => ({ index, y: (1 - (value ?? 0)) * height }))
    .filter(({ y }) => y <= (1 - LEAST) * height)
    .sort((a, b) => a.y - b.y);
  let top = -Infinity;
  for (const end of ends) top = end.y = Math.max(end.y, top + gap);
  let bottom = height + gap;
  for (const end of ends.reverse()) bottom = end.y = Math.min(end.y, bottom - gap);
  return ends.reverse();
}
