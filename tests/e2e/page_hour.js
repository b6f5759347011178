// An hour of the page in a minute or two: a clock that moves when a frame is answered, a server
// that answers at once, and a camera that has a new frame as soon as the last one is done.
// Set before the page's own scripts: `templates`, answers without their frame_id, in base64.
(templates) => {
  const FRAME_MS = 250;
  const answers = templates.map((text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
  let now = 0;
  const frameCallbacks = new Map();
  const intervals = [];
  let handles = 0;

  performance.now = () => now;
  const setRealTimeout = window.setTimeout.bind(window);
  // Waits of less than a second are for the clock; longer ones watch over the server, which is well.
  window.setTimeout = (act, ms = 0, ...rest) => setRealTimeout(act, ms < 1000 ? 0 : 1e8, ...rest);
  window.setInterval = (act, ms) => intervals.push({ act, ms, due: now + ms });
  HTMLVideoElement.prototype.requestVideoFrameCallback = (act) => {
    frameCallbacks.set(++handles, act);
    return handles;
  };
  delete window.MediaStreamTrackProcessor;

  const showFrame = () => {
    const due = [...frameCallbacks.values()];
    frameCallbacks.clear();
    for (const act of due) act(now, { mediaTime: now / 1000 });
  };
  const advance = () => {
    now += FRAME_MS;
    window.hour.frames += 1;
    for (const interval of intervals) {
      if (now < interval.due) continue;
      interval.due = now + interval.ms;
      interval.act();
    }
    showFrame();
  };
  window.hour = { frames: 0, minutes: () => now / 60_000, showFrame };

  window.WebSocket = class extends EventTarget {
    #sent = 0;
    constructor() {
      super();
      queueMicrotask(() => this.dispatchEvent(new Event("open")));
    }
    send(bytes) {
      // The header block comes first, then frames: 0 and a gRPC-Web message.
      if (bytes[0] !== 0) return;
      const id = ++this.#sent;
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        this.dispatchEvent(new MessageEvent("message", { data: answer(id) }));
        advance();
        channel.port1.close();
      };
      channel.port2.postMessage(0);
    }
    close() {}
  };

  const answer = (id) => {
    const digits = [0x08];
    let rest = id;
    for (; rest > 127; rest = Math.floor(rest / 128)) digits.push((rest % 128) | 0x80);
    digits.push(rest);
    const template = answers[Math.floor(now / 15_000) % answers.length];
    const bytes = new Uint8Array(5 + digits.length + template.length);
    new DataView(bytes.buffer).setUint32(1, digits.length + template.length);
    bytes.set(digits, 5);
    bytes.set(template, 5 + digits.length);
    return bytes.buffer;
  };
}
