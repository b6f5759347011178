/** The page's element with this id; the page and its scripts are built together. */
export function pageElement<Kind extends HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}
