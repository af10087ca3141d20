// Pictures and sounds of the API: thumbnails, and a player with a waveform.

import { json, mediaUrl } from "./api.js";
import { el, fill, icon, time } from "./dom.js";

const onceVisible = new WeakMap();
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watcher.unobserve(entry.target);
    onceVisible.get(entry.target)?.();
  }
}, { rootMargin: "300px" });

function whenVisible(node, load) {
  onceVisible.set(node, load);
  watcher.observe(node);
}

/** A picture that is fetched when it comes into view. */
export function thumbnail(path, description) {
  const frame = el("div", { class: "frame loading" });
  whenVisible(frame, async () => {
    try {
      const image = el("img", { alt: description, src: await mediaUrl(path), decoding: "async" });
      fill(frame, image);
    } catch (error) {
      fill(frame, el("p", { class: "muted" }, `No picture: ${error.message}`));
    }
    frame.classList.remove("loading");
  });
  return frame;
}

let playing = null;

/** A player for a part, from `start_ms` on when a segment is given. */
export function player(partId, contentUrl, place, description) {
  const canvas = el("canvas", { class: "wave", "aria-hidden": "true" });
  const clock = el("span", { class: "clock" }, "");
  const toggle = el("button", { type: "button", class: "play", "aria-label": `Play ${description}` }, icon("play"));
  const seek = el("input", { type: "range", class: "seek", min: "0", max: "1000", value: "0", "aria-label": `Position in ${description}` });
  const node = el("div", { class: "player loading" }, toggle, el("div", { class: "track" }, canvas, seek), clock);
  const segment = place?.kind === "time" ? place : null;

  let audio = null;
  let duration = 0;
  let peaks = [];

  const position = () => (audio ? audio.currentTime * 1000 : segment?.start_ms ?? 0);
  const redraw = () => {
    draw(canvas, peaks, duration, audio ? position() : 0, segment);
    clock.textContent = duration ? `${time(position())} / ${time(duration)}` : "";
    if (duration) {
      seek.value = String(Math.round((1000 * position()) / duration));
      seek.setAttribute("aria-valuetext", `${time(position())} of ${time(duration)}`);
    }
  };

  const load = async () => {
    if (audio) return audio;
    const made = new Audio(await mediaUrl(contentUrl));
    made.preload = "metadata";
    await new Promise((resolve, reject) => {
      made.addEventListener("loadedmetadata", resolve, { once: true });
      made.addEventListener("error", () => reject(new Error("this browser cannot play it")), { once: true });
    });
    if (Number.isFinite(made.duration)) duration = made.duration * 1000;
    made.currentTime = (segment?.start_ms ?? 0) / 1000;
    made.addEventListener("timeupdate", redraw);
    for (const event of ["play", "pause", "ended"]) made.addEventListener(event, () => showState());
    audio = made;
    return audio;
  };

  const showState = () => {
    const on = audio && !audio.paused && !audio.ended;
    fill(toggle, icon(on ? "pause" : "play"));
    toggle.setAttribute("aria-label", `${on ? "Pause" : "Play"} ${description}`);
    if (on) tick();
    redraw();
  };
  const tick = () => {
    if (!audio || audio.paused) return;
    redraw();
    requestAnimationFrame(tick);
  };

  toggle.addEventListener("click", async () => {
    try {
      const sound = await load();
      if (!sound.paused) {
        sound.pause();
        return;
      }
      if (playing && playing !== sound) playing.pause();
      playing = sound;
      if (sound.ended) sound.currentTime = (segment?.start_ms ?? 0) / 1000;
      await sound.play();
    } catch (error) {
      clock.textContent = `Cannot play: ${error.message}`;
    }
  });
  seek.addEventListener("input", async () => {
    const share = Number(seek.value) / 1000;
    try {
      const sound = await load();
      sound.currentTime = (share * duration) / 1000;
      redraw();
    } catch (error) {
      clock.textContent = `Cannot play: ${error.message}`;
    }
  });

  whenVisible(node, async () => {
    try {
      const answer = await json(`/v1/parts/${partId}/peaks?buckets=160`);
      duration = answer.duration_ms || duration;
      peaks = answer.peaks;
    } catch {
      peaks = [];
    }
    node.classList.remove("loading");
    redraw();
  });
  new ResizeObserver(redraw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  return node;
}

function draw(canvas, peaks, duration, position, segment) {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width || !height) return;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name).trim();
  const at = (ms) => (duration ? (ms / duration) * width : 0);

  if (segment && duration && (segment.start_ms > 0 || segment.end_ms < duration - 50)) {
    pen.fillStyle = colour("--wave-segment");
    pen.fillRect(at(segment.start_ms), 0, Math.max(2, at(Math.min(segment.end_ms, duration) - segment.start_ms)), height);
  }
  const bars = Math.max(1, Math.min(peaks.length, Math.floor(width / 3)));
  const played = at(position);
  for (let bar = 0; bar < bars && peaks.length; bar += 1) {
    const from = Math.floor((bar * peaks.length) / bars);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * peaks.length) / bars));
    let low = 0;
    let high = 0;
    for (const [least, most] of peaks.slice(from, to)) {
      low = Math.min(low, least);
      high = Math.max(high, most);
    }
    const x = (bar * width) / bars;
    const top = height / 2 - Math.max(1, high * height * 0.48);
    const bottom = height / 2 + Math.max(1, -low * height * 0.48);
    pen.fillStyle = colour(x < played ? "--wave-played" : "--wave");
    pen.fillRect(x, top, Math.max(1, width / bars - 1.2), bottom - top);
  }
}

/** What a part looks like: picture, player, or nothing for text. */
export function preview(part) {
  const name = part.name ?? part.media_type;
  if (part.modality === "image") return thumbnail(`/v1/parts/${part.id}/thumbnail?size=256`, name);
  if (part.modality === "audio") return player(part.id, `/v1/parts/${part.id}/content`, null, name);
  return null;
}
