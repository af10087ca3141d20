// A hit as a card: picture, player or words, how sure, and why.

import { el, icon, NAMES, time } from "./dom.js";
import { player, thumbnail } from "./media.js";
import { openDocument } from "./documents.js";

/** From this on a hit is shown as good; the server warns when none is. */
const GOOD = 0.5;
/** Below this a hit is shown as a mere guess. */
const LOW = 0.2;

export function titleOf(document, part) {
  return document.title || part?.name || document.external_id || document.id;
}

export function card(hit, { labels, like }) {
  const { document, segment } = hit;
  const title = titleOf(document, segment.part);
  const level = levelOf(hit.confidence);
  const others = (hit.segments ?? []).filter((other) => other.id !== segment.id);
  return el("li", { class: `hit ${segment.modality} ${level}` },
    el("article", { "aria-label": `${title}, ${NAMES[segment.modality] ?? segment.modality}` },
      face(segment, title),
      el("div", { class: "body" },
        el("h3", {}, el("button", { type: "button", class: "title", on: { click: () => openDocument(document.id) } }, title)),
        el("p", { class: "facts" },
          el("span", { class: `badge ${segment.modality}` }, icon(segment.modality), NAMES[segment.modality] ?? segment.modality),
          placeText(segment.place) && el("span", { class: "muted" }, placeText(segment.place)),
          document.tags.map((tag) => el("span", { class: "tag" }, tag))),
        confidence(hit.confidence, level),
        others.length > 0 && also(others),
        el("div", { class: "actions" },
          hit.explain?.legs?.length ? explain(hit, labels) : el("span", {}),
          el("span", { class: "similar" },
            el("button", { type: "button", class: "tiny", title: "More like this", on: { click: () => like(segment, title, 1) } }, icon("plus"), "like"),
            el("button", { type: "button", class: "tiny", title: "Less like this", on: { click: () => like(segment, title, -0.5) } }, icon("minus"), "unlike"))))));
}

function face(segment, title) {
  if (segment.modality === "image" && segment.thumbnail_url) return el("div", { class: "face" }, thumbnail(segment.thumbnail_url, title));
  if (segment.modality === "audio") return el("div", { class: "face" }, player(segment.part.id, segment.content_url, segment.place, title));
  return el("div", { class: "face" }, el("blockquote", {}, segment.snippet ? marked(segment.snippet) : el("span", { class: "muted" }, "no words")));
}

/** Highlights are ranges of characters (code points), so the text is cut as such. */
export function marked({ text, highlights }) {
  const characters = [...text];
  const pieces = [];
  let at = 0;
  for (const [start, end] of highlights ?? []) {
    if (start < at || end > characters.length) continue;
    pieces.push(characters.slice(at, start).join(""), el("mark", {}, characters.slice(start, end).join("")));
    at = end;
  }
  pieces.push(characters.slice(at).join(""));
  return pieces;
}

export function placeText(place) {
  switch (place?.kind) {
    case "time":
      return `${time(place.start_ms)}–${time(place.end_ms)}`;
    case "region":
      return `${place.width_px}×${place.height_px} at ${place.x_px},${place.y_px}`;
    case "characters":
      return place.heading ? `“${place.heading}”` : `characters ${place.start_char}–${place.end_char}`;
    default:
      return "";
  }
}

function levelOf(confidence) {
  if (confidence === null || confidence === undefined) return "unknown";
  if (confidence < LOW) return "low";
  return confidence < GOOD ? "fair" : "good";
}

function confidence(value, level) {
  if (level === "unknown") return el("p", { class: "confidence muted" }, "by words alone; no confidence is known");
  const share = Math.round(100 * value);
  const fillBar = el("i", {});
  fillBar.style.width = `${share}%`;
  return el("div", { class: "confidence" },
    el("span", { class: "meter", role: "meter", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(share), "aria-label": "Confidence" }, fillBar),
    el("span", {}, { low: `low confidence: ${share} %`, fair: `perhaps: ${share} %`, good: `${share} % sure` }[level]));
}

function also(segments) {
  return el("p", { class: "also muted" }, "also ",
    segments.map((segment, index) => [
      index > 0 && ", ",
      segment.modality === "text" && segment.snippet
        ? `“${[...segment.snippet.text].slice(0, 40).join("").trim()}…”`
        : `${NAMES[segment.modality] ?? segment.modality} ${placeText(segment.place)}`,
    ]));
}

function explain(hit, labels) {
  const legs = hit.explain.legs;
  const most = Math.max(...legs.map((leg) => Math.abs(leg.contribution)), 1e-9);
  const number = (value, digits) => (value === null || value === undefined ? "" : Number(value).toFixed(digits));
  const rows = legs.map((leg) => {
    const bar = el("i", { class: leg.contribution < 0 ? "negative" : "" });
    bar.style.width = `${(100 * Math.abs(leg.contribution)) / most}%`;
    return el("tr", {},
      el("td", {}, leg.input === null || leg.input === undefined ? "joined" : labels[leg.input] ?? `input ${leg.input + 1}`),
      el("td", {}, leg.space),
      el("td", { class: "n" }, `#${leg.rank}`),
      el("td", { class: "n" }, number(leg.score, 3)),
      el("td", { class: "n" }, number(leg.weight, 2)),
      el("td", { class: "n" }, el("span", { class: "share" }, bar), number(leg.contribution, 4)));
  });
  return el("details", { class: "why" },
    el("summary", {}, "Why?"),
    el("div", { class: "scroll" },
      el("table", {},
        el("thead", {}, el("tr", {}, ["input", "space", "rank", "score", "weight", "adds"].map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, rows),
        el("tfoot", {}, el("tr", {}, el("th", { scope: "row", colSpan: 5 }, "score"), el("td", { class: "n" }, number(hit.score, 4)))))));
}
