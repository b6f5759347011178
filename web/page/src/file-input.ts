/** What to do with a file of each kind. */
export interface FileHandlers {
  picture(file: File): void;
  video(file: File): void;
}

/** Calls `handle` with the file that the user chooses, also when it is the same one again. */
export function acceptFiles(input: HTMLInputElement, handle: (file: File) => void): void {
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) handle(file);
    input.value = "";
  });
}

/** Takes files dropped anywhere on the page; `area` is shown while one is held over it. */
export function acceptDrops(area: HTMLElement, handlers: FileHandlers, refuse: () => void): void {
  const hasFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  document.addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    area.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    // Leaving the window, not an element for another one.
    if (event.relatedTarget === null) area.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    area.hidden = true;
    handle(event.dataTransfer?.files[0], handlers, refuse);
  });
}

/** Takes a picture or a video that is pasted, such as a picture copied from another program. */
export function acceptPastes(handlers: FileHandlers, refuse: () => void): void {
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file) return;
    event.preventDefault();
    handle(file, handlers, refuse);
  });
}

function handle(file: File | undefined, handlers: FileHandlers, refuse: () => void): void {
  if (file?.type.startsWith("image/")) handlers.picture(file);
  else if (file?.type.startsWith("video/")) handlers.video(file);
  else refuse();
}
