/** A width and a height, in any unit. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A rectangle; y points downwards. */
export interface Rect extends Size {
  readonly x: number;
  readonly y: number;
}

/** Where `object-fit: contain` puts a picture inside a stage. */
export function containRect(picture: Size, stage: Size): Rect {
  if (picture.width <= 0 || picture.height <= 0) return { x: 0, y: 0, width: 0, height: 0 };
  const scale = Math.min(stage.width / picture.width, stage.height / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { x: (stage.width - width) / 2, y: (stage.height - height) / 2, width, height };
}

/** Where a box, in fractions of the picture, is seen in the stage. */
export function boxOnStage(box: Rect, shown: Rect, mirrored: boolean): Rect {
  const left = mirrored ? 1 - box.x - box.width : box.x;
  return {
    x: shown.x + left * shown.width,
    y: shown.y + box.y * shown.height,
    width: box.width * shown.width,
    height: box.height * shown.height,
  };
}

/**
 * Where a box's label goes: above the box, or else below it, or else just
 * inside, wherever it covers no label that is `placed` already; never off the
 * stage.
 */
export function labelOnStage(box: Rect, label: Size, stage: Size, placed: readonly Rect[]): Rect {
  const x = Math.max(0, Math.min(box.x, stage.width - label.width));
  const tops = [box.y - label.height, box.y + box.height, box.y, box.y + box.height - label.height];
  const places = tops.map((y) => ({ ...label, x, y })).filter(({ y }) => y >= 0 && y + label.height <= stage.height);
  return (
    places.find((place) => !placed.some((other) => overlap(place, other))) ??
    places[0] ?? { ...label, x, y: Math.max(0, Math.min(box.y, stage.height - label.height)) }
  );
}

function overlap(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
