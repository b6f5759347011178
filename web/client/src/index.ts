/** Browser client of Emotion Recognizer: `connect(url).start(video)`. */
export { connect, EmotionClient, type ChangeableOptions, type ConnectOptions, type RecordedFrame, type RecordedResult } from "./client.js";
export type { ClientEvents, DroppedEvent, FrameErrorEvent, ResultEvent } from "./events.js";
export type { ClientState, Reason, TransportName } from "./state.js";
export { ElementEncoder } from "./capture.js";
export { encodePicture, fitWithin, type EncodeOptions } from "./encode.js";
export type { FrameInput } from "./source.js";
export { failureOfUnary, type Failure } from "./failure.js";
export { DEFAULT_POLICY, type SessionPolicy } from "./session.js";
export { createWebSocketTransport, type WebSocketTransportOptions } from "./websocket-transport.js";
export * from "./gen/emotion/v1/emotion_pb.js";
