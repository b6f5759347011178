import type { EmotionClient } from "@emotion-recognizer/client";

import type { Announcer } from "./announcer.js";
import type { Message } from "./message.js";
import type { ScoreLog } from "./score-log.js";
import type { SettingsStore } from "./settings.js";
import type { ShownFaces } from "./shown-faces.js";
import type { Stage } from "./stage.js";
import type { StatusLine } from "./status-line.js";
import type { Timeline } from "./timeline.js";

/** The parts of the page that its sources share: each of them has the page to itself for a while. */
export interface PageParts {
  readonly client: EmotionClient;
  readonly settings: SettingsStore;
  readonly stage: Stage;
  readonly faces: ShownFaces;
  readonly timeline: Timeline;
  readonly log: ScoreLog;
  readonly status: StatusLine;
  readonly message: Message;
  readonly announcer: Announcer;
}
