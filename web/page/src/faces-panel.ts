import { EXPRESSIONS, percent, title, type ExpressionName } from "./expression.js";
import type { FaceView } from "./face-view.js";
import { pageElement } from "./page-element.js";

/** More faces than these are counted, not listed. */
const MOST_FACES = 20;

/** The list of faces, with the scores of all eight expressions for the selected one. */
export class FacesPanel {
  readonly #list = pageElement<HTMLOListElement>("faces");
  readonly #none = pageElement("no-faces");
  readonly #more = pageElement("more-faces");
  readonly #items = new Map<number, FaceItem>();

  /** @param select is called with the number of the face that the user chooses. */
  constructor(private readonly select: (number: number) => void) {}

  /** Shows `faces`, which are in the order of their numbers; `selected` is the number of one of them. */
  show(faces: readonly FaceView[], selected: number | undefined): void {
    const listed = faces.slice(0, MOST_FACES);
    const numbers = new Set(listed.map((face) => face.number));
    for (const [number, item] of this.#items) {
      if (numbers.has(number)) continue;
      item.element.remove();
      this.#items.delete(number);
    }
    listed.forEach((face, place) => {
      let item = this.#items.get(face.number);
      if (!item) this.#items.set(face.number, (item = new FaceItem(face, () => this.select(face.number))));
      if (this.#list.children[place] !== item.element) this.#list.insertBefore(item.element, this.#list.children[place] ?? null);
      item.show(face, face.number === selected);
    });
    const more = faces.length - listed.length;
    this.#more.hidden = more === 0;
    this.#more.textContent = more === 1 ? "and 1 more face" : `and ${more} more faces`;
    this.#none.hidden = faces.length > 0;
  }

  /** What to say while there is no face. */
  set emptyText(text: string) {
    setText(this.#none, text);
  }
}

/** One face of the list; changes only what changed. */
class FaceItem {
  readonly element = document.createElement("li");
  readonly #head = document.createElement("button");
  readonly #label = document.createElement("strong");
  readonly #scores = document.createElement("dl");
  readonly #rows = new Map<ExpressionName, { fill: HTMLElement; value: HTMLElement }>();

  constructor(face: FaceView, select: () => void) {
    const head = this.#head;
    head.type = "button";
    head.className = "face-head";
    head.addEventListener("click", select);
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.backgroundColor = face.colour;
    const name = document.createElement("span");
    name.textContent = `Face ${face.number}`;
    head.append(swatch, name, this.#label);
    for (const expression of EXPRESSIONS) {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      term.textContent = title(expression);
      const bar = document.createElement("dd");
      bar.className = "bar";
      bar.ariaHidden = "true";
      const fill = document.createElement("span");
      bar.append(fill);
      const value = document.createElement("dd");
      row.append(term, bar, value);
      this.#scores.append(row);
      this.#rows.set(expression, { fill, value });
    }
    this.element.append(head, this.#scores);
  }

  show(face: FaceView, selected: boolean): void {
    this.#head.ariaPressed = String(selected);
    this.element.dataset["trackId"] = String(face.trackId);
    this.element.dataset["expression"] = face.expression;
    setText(this.#label, face.label);
    this.#scores.hidden = !face.scores || !selected;
    if (!face.scores || !selected) return;
    for (const [expression, { fill, value }] of this.#rows) {
      const score = face.scores[expression];
      fill.style.transform = `scaleX(${score.toFixed(3)})`;
      fill.classList.toggle("highest", expression === face.expression);
      setText(value, percent(score));
    }
  }
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
