/** Gives the user a file that was made in the browser. */
export function download(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads the file after this returns.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A file name with the time in it, so that none overwrites another: "scores 2026-01-31 14-05-09.csv". */
export function fileName(what: string, extension: string, at: Date): string {
  const two = (part: number) => String(part).padStart(2, "0");
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join("-");
  return `${what} ${day} ${time}.${extension}`;
}
