/**
 * gRPC-Web framing, as existing clients speak it over WebSocket: plain
 * functions over bytes.
 *
 * A frame is a flag byte, a 4-byte big-endian length and that many bytes.
 */

/** Flag of a frame that carries a message. */
export const DATA_FLAG = 0x00;
/** Flag of a frame that carries headers or trailers. */
export const METADATA_FLAG = 0x80;
/** The WebSocket message by which a client says that it sends no more. */
export const HALF_CLOSE = Uint8Array.of(1);

const PREFIX_BYTES = 5;
const COMPRESSED_FLAG = 0x01;

/** A frame as received. */
export interface GrpcWebFrame {
  readonly flag: number;
  readonly payload: Uint8Array;
}

/** Bytes that cannot be gRPC-Web, or a message over the limit. */
export class FramingError extends Error {
  override readonly name = "FramingError";
}

/** Frames `payload`. */
export function encodeFrame(payload: Uint8Array, flag: number = DATA_FLAG): Uint8Array<ArrayBuffer> {
  return frameAt(0, payload, flag);
}

/** A client's WebSocket message: one byte 0, then the framed message. */
export function encodeClientMessage(message: Uint8Array): Uint8Array<ArrayBuffer> {
  return frameAt(1, message, DATA_FLAG);
}

function frameAt(offset: number, payload: Uint8Array, flag: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(offset + PREFIX_BYTES + payload.length);
  bytes[offset] = flag;
  new DataView(bytes.buffer).setUint32(offset + 1, payload.length);
  bytes.set(payload, offset + PREFIX_BYTES);
  return bytes;
}

/**
 * The header block or trailers: a line "name: value" for each.
 *
 * @throws FramingError if a value has characters outside printable ASCII.
 */
export function encodeMetadata(headers: Headers): Uint8Array<ArrayBuffer> {
  let block = "";
  headers.forEach((value, name) => {
    if (/[^\t\x20-\x7e]/.test(value)) {
      throw new FramingError(`header ${name} has characters that are not printable ASCII`);
    }
    block += `${name}: ${value}\r\n`;
  });
  return new TextEncoder().encode(block);
}

/** Reads headers or trailers; lines without a colon are ignored. */
export function parseMetadata(payload: Uint8Array): Headers {
  const headers = new Headers();
  for (const line of new TextDecoder().decode(payload).split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return headers;
}

/** Cuts a stream of bytes, however it is split, into frames. */
export class FrameParser {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #needed = PREFIX_BYTES;

  /** @param maxBytes the longest payload to accept. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of an unfinished frame. */
  get pending(): number {
    return this.#buffered;
  }

  /**
   * Takes the next bytes and returns the frames that they complete.
   *
   * @throws FramingError if a frame is compressed, of an unknown kind or too long.
   */
  push(chunk: Uint8Array): GrpcWebFrame[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < this.#needed) return [];

    const bytes = this.#join();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const frames: GrpcWebFrame[] = [];
    let start = 0;
    this.#needed = PREFIX_BYTES;
    while (bytes.length - start >= PREFIX_BYTES) {
      const flag = view.getUint8(start);
      const length = view.getUint32(start + 1);
      this.#check(flag, length);
      const end = start + PREFIX_BYTES + length;
      if (end > bytes.length) {
        this.#needed = PREFIX_BYTES + length;
        break;
      }
      frames.push({ flag, payload: bytes.subarray(start + PREFIX_BYTES, end) });
      start = end;
    }
    this.#chunks = start < bytes.length ? [bytes.subarray(start)] : [];
    this.#buffered = bytes.length - start;
    return frames;
  }

  #check(flag: number, length: number): void {
    if (flag & COMPRESSED_FLAG) throw new FramingError("the server sent a compressed frame, which was not asked for");
    if (flag !== DATA_FLAG && flag !== METADATA_FLAG) throw new FramingError(`unknown frame flag 0x${flag.toString(16)}`);
    if (length > this.#maxBytes) {
      throw new FramingError(`a frame of ${length} bytes is over the limit of ${this.#maxBytes}`);
    }
  }

  #join(): Uint8Array {
    if (this.#chunks.length === 1) return this.#chunks[0]!;
    const joined = new Uint8Array(this.#buffered);
    let offset = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, offset);
      offset += chunk.length;
    }
    return joined;
  }
}
