import { describe, expect, test } from "vitest";

import {
  DATA_FLAG,
  encodeClientMessage,
  encodeFrame,
  encodeMetadata,
  FrameParser,
  FramingError,
  METADATA_FLAG,
  parseMetadata,
  type GrpcWebFrame,
} from "../src/grpc-web.js";
import { seededRandom } from "./random.js";

const bytes = (...values: number[]) => Uint8Array.from(values);

describe("frames", () => {
  test("have a flag, a big-endian length and the payload", () => {
    expect(encodeFrame(bytes(7, 8, 9))).toEqual(bytes(0, 0, 0, 0, 3, 7, 8, 9));
    expect(encodeFrame(new Uint8Array(0x010203), METADATA_FLAG).subarray(0, 5)).toEqual(bytes(0x80, 0, 1, 2, 3));
  });

  test("of a client follow one byte 0", () => {
    expect(encodeClientMessage(bytes(5))).toEqual(bytes(0, 0, 0, 0, 0, 1, 5));
  });
});

describe("the parser", () => {
  test("takes several frames of one message, empty ones too", () => {
    const wire = [...encodeFrame(bytes(1, 2)), ...encodeFrame(bytes()), ...encodeFrame(bytes(3), METADATA_FLAG)];
    const parser = new FrameParser(100);
    expect(parser.push(Uint8Array.from(wire))).toEqual([
      { flag: DATA_FLAG, payload: bytes(1, 2) },
      { flag: DATA_FLAG, payload: bytes() },
      { flag: METADATA_FLAG, payload: bytes(3) },
    ]);
    expect(parser.pending).toBe(0);
  });

  test("keeps an unfinished frame", () => {
    const parser = new FrameParser(100);
    const wire = encodeFrame(bytes(1, 2, 3));
    expect(parser.push(wire.subarray(0, 7))).toEqual([]);
    expect(parser.pending).toBe(7);
    expect(parser.push(wire.subarray(7))).toEqual([{ flag: DATA_FLAG, payload: bytes(1, 2, 3) }]);
  });

  test.each(Array.from({ length: 200 }, (_, seed) => seed))("finds the same frames however they are split (seed %i)", (seed) => {
    const random = seededRandom(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    const frames: GrpcWebFrame[] = Array.from({ length: 1 + below(8) }, () => ({
      flag: random() < 0.2 ? METADATA_FLAG : DATA_FLAG,
      payload: Uint8Array.from({ length: below(random() < 0.2 ? 2000 : 20) }, () => below(256)),
    }));
    const wire = Uint8Array.from(frames.flatMap(({ flag, payload }) => [...encodeFrame(payload, flag)]));
    const parser = new FrameParser(4096);
    const found: GrpcWebFrame[] = [];
    for (let start = 0; start < wire.length; ) {
      const end = Math.min(wire.length, start + below(random() < 0.5 ? 4 : 700));
      found.push(...parser.push(wire.subarray(start, end)));
      start = end;
    }
    expect(found).toEqual(frames);
    expect(parser.pending).toBe(0);
  });

  test("refuses a frame over the limit as soon as its length is known", () => {
    expect(() => new FrameParser(10).push(encodeFrame(new Uint8Array(11)).subarray(0, 5))).toThrow(FramingError);
    expect(new FrameParser(10).push(encodeFrame(new Uint8Array(10)))).toHaveLength(1);
  });

  test.each([0x01, 0x81, 0x40, 0xff])("refuses flag %i", (flag) => {
    expect(() => new FrameParser(10).push(bytes(flag, 0, 0, 0, 0))).toThrow(FramingError);
  });
});

describe("metadata", () => {
  test("is a line for each header", () => {
    const block = encodeMetadata(new Headers({ "x-token": "abc", "grpc-timeout": "5S" }));
    expect(new TextDecoder().decode(block)).toBe("grpc-timeout: 5S\r\nx-token: abc\r\n");
  });

  test("is read back, with colons and spaces in values", () => {
    const headers = parseMetadata(new TextEncoder().encode("grpc-status:0\r\nGrpc-Message: a: b \r\n\r\nnothing\r\n"));
    expect([...headers]).toEqual([
      ["grpc-message", "a: b"],
      ["grpc-status", "0"],
    ]);
  });

  test("must be printable ASCII", () => {
    expect(() => encodeMetadata(new Headers({ name: "caf\u00e9" }))).toThrow(FramingError);
  });
});
