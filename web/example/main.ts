import { connect, Expression } from "@emotion-recognizer/client";

const button = document.querySelector<HTMLButtonElement>("#start")!;
const state = document.querySelector<HTMLElement>("#state")!;
const canvas = document.querySelector<HTMLCanvasElement>("#view")!;
const context = canvas.getContext("2d")!;
const video = document.createElement("video");
const client = connect(location.origin, { maxFramesPerSecond: 15 });

client.on("state", ({ name }) => (state.textContent = name));
client.on("error", ({ message }) => console.warn(message));
client.on("result", ({ recognition }) => {
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  context.drawImage(video, 0, 0);
  context.strokeStyle = context.fillStyle = "deepskyblue";
  context.font = "16px sans-serif";
  for (const { box, trackId, expression } of recognition.faces) {
    if (!box) continue;
    const [x, y] = [box.x * canvas.width, box.y * canvas.height];
    context.strokeRect(x, y, box.width * canvas.width, box.height * canvas.height);
    context.fillText(`${trackId} ${Expression[expression]}`, x, y - 6);
  }
});

button.addEventListener("click", async () => {
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  await video.play();
  client.start(video.srcObject.getVideoTracks()[0]!);
});
