// The search view: inputs with weights, targets, filters, pages of hits.

import { json, request } from "./api.js";
import { $, el, fill, icon, NAMES, splitTags } from "./dom.js";
import { card } from "./hits.js";
import { clearProblem, showProblem } from "./problem.js";
import { collection } from "./collections.js";

const PAGE = 12;
const EXAMPLES = ["a red bicycle", "someone strums a guitar", "an emergency vehicle", "the sea", "keeping time", "a pet"];

// Inputs beside the main text: { kind: "text" | "image" | "audio" | "segment", weight, label, ... }
let extras = [];
let current = null; // { body, files, token, abort }

export function initSearch() {
  $("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  $("query-files").addEventListener("change", (event) => {
    addFiles(event.target.files);
    event.target.value = "";
  });
  $("add-text").addEventListener("click", () => {
    const extra = { kind: "text", text: "", weight: 1 };
    extras.push(extra);
    showInputs();
    extra.field?.focus();
  });
  $("query").addEventListener("input", showMainWeight);
  $("min-confidence").addEventListener("input", showMinConfidence);
  $("more-hits").addEventListener("click", more);
  for (const box of document.querySelectorAll("input[name=target]")) box.addEventListener("change", searchAgain);
  for (const id of ["fusion", "group-by", "min-confidence", "search-tags"]) $(id).addEventListener("change", searchAgain);
  fill($("examples"), el("span", { class: "muted" }, "Try"), EXAMPLES.map((words) =>
    el("button", { type: "button", class: "example", on: { click: () => ask(words) } }, words)));
}

export function searchAgain() {
  if (current) search();
}

/** Puts words into the box and asks. */
export function ask(words) {
  $("query").value = words;
  search();
}

/** Takes dropped or chosen files as inputs. */
export async function addFiles(files) {
  for (const file of files) {
    const kind = kindOf(file);
    if (kind === "text") extras.push({ kind, text: (await file.text()).slice(0, 4000), weight: 1 });
    else if (kind) extras.push(described({ kind, file, weight: 1, label: file.name, preview: kind === "image" ? URL.createObjectURL(file) : null }));
    else showProblem({ title: "Not a query", detail: `${file.name} is neither a picture, a sound nor a text (${file.type || "unknown type"}).` });
  }
  showInputs();
  if (extras.length > 0) search();
}

/** What the server takes a file for: a sentence, or the nearest labels of its vocabulary, shown beside the input. */
function described(extra) {
  extra.note = el("span", { class: "muted note-inline" });
  const form = new FormData();
  form.append("request", JSON.stringify({ input: { [extra.kind]: { file: "file" } }, count: 3 }));
  form.append("file", extra.file, extra.file.name);
  json("/v1/captions", { method: "POST", body: form }).then(({ labels, caption }) => {
    const names = caption ? [caption.text] : labels.map(({ label, score }) => `${label} ${Math.round(100 * score)} %`);
    if (names.length > 0) extra.note.textContent = `taken for: ${names.join(", ")}`;
  }, () => {});
  return extra;
}

function kindOf(file) {
  const ending = file.name.toLowerCase().split(".").pop();
  if (file.type.startsWith("image/") || ["svg", "png", "jpg", "jpeg", "webp", "gif", "tif", "tiff", "bmp"].includes(ending)) return "image";
  if (file.type.startsWith("audio/") || ["wav", "flac", "mp3", "ogg", "oga", "m4a", "aac"].includes(ending)) return "audio";
  if (file.type.startsWith("text/") || ["txt", "md"].includes(ending)) return "text";
  return null;
}

/** More (or, with a negative weight, less) like a segment. */
export function likeSegment(segment, title, weight) {
  extras = extras.filter((extra) => extra.segment !== segment.id);
  extras.push({ kind: "segment", segment: segment.id, modality: segment.modality, label: title, weight });
  showInputs();
  if (weight < 0 && !hasPositive()) {
    $("search-status").textContent = "Add something to look for: a search needs one input with a positive weight.";
    return;
  }
  search();
  $("query").scrollIntoView({ block: "center", behavior: "smooth" });
}

const mainText = () => $("query").value.trim();
let mainWeight = 1;

function hasPositive() {
  return (mainText() && mainWeight > 0) || extras.some((extra) => extra.weight > 0 && (extra.kind !== "text" || extra.text.trim()));
}

function showMainWeight() {
  const row = $("inputs").querySelector("[data-main]");
  if (Boolean(row) !== (extras.length > 0 && mainText() !== "")) showInputs();
  else if (row) row.querySelector(".label").textContent = mainText();
}

function showInputs() {
  const rows = [];
  if (extras.length > 0 && mainText()) {
    const row = inputRow("text", el("span", { class: "label" }, mainText()), mainWeight, (weight) => { mainWeight = weight; }, () => {
      $("query").value = "";
      mainWeight = 1;
    });
    row.dataset.main = "";
    rows.push(row);
  } else {
    mainWeight = 1;
  }
  for (const extra of extras) {
    const remove = () => {
      extras = extras.filter((other) => other !== extra);
      if (extra.preview) URL.revokeObjectURL(extra.preview);
    };
    let face;
    if (extra.kind === "text") {
      face = el("input", { type: "text", class: "label", value: extra.text, "aria-label": "Another text", placeholder: "another text" });
      face.addEventListener("input", () => { extra.text = face.value; });
      extra.field = face;
    } else {
      const prefix = extra.kind === "segment" ? "like: " : "";
      face = el("span", { class: "label" }, prefix + extra.label, extra.note && [" ", extra.note]);
    }
    const lead = extra.preview ? el("img", { src: extra.preview, alt: "", class: "mini" }) : null;
    rows.push(inputRow(extra.kind === "segment" ? extra.modality : extra.kind, face, extra.weight, (weight) => { extra.weight = weight; }, remove, lead));
  }
  fill($("inputs"), rows);
}

function inputRow(kind, face, weight, setWeight, remove, lead) {
  const value = el("output", { class: "weight" }, signed(weight));
  const slider = el("input", { type: "range", min: "-2", max: "2", step: "0.1", value: String(weight), "aria-label": "Weight" });
  const row = el("li", { class: `input ${kind}` }, lead ?? icon(kind), face,
    el("label", { class: "weigh" }, el("span", { class: "muted" }, "weight"), slider, value),
    el("button", { type: "button", class: "bare", "aria-label": "Remove this input", on: { click: () => { remove(); showInputs(); searchAgain(); } } }, icon("close")));
  const mark = () => row.classList.toggle("negative", Number(slider.value) < 0);
  slider.addEventListener("input", () => {
    const chosen = Number(slider.value) || 0.1;
    setWeight(chosen);
    value.textContent = signed(chosen);
    mark();
  });
  slider.addEventListener("change", searchAgain);
  mark();
  return row;
}

const signed = (weight) => (weight > 0 ? `+${weight.toFixed(1)}` : `\u2212${Math.abs(weight).toFixed(1)}`);

function showMinConfidence() {
  const least = Number($("min-confidence").value);
  $("min-confidence-value").textContent = least > 0 ? `${Math.round(100 * least)} %` : "any";
}

function build() {
  const inputs = [];
  const files = [];
  const weighted = (input, weight) => (weight === 1 ? input : { ...input, weight: Math.round(weight * 100) / 100 });
  if (mainText()) inputs.push(weighted({ text: mainText() }, mainWeight));
  for (const extra of extras) {
    if (extra.kind === "text") {
      if (extra.text.trim()) inputs.push(weighted({ text: extra.text.trim() }, extra.weight));
    } else if (extra.kind === "segment") {
      inputs.push(weighted({ segment: extra.segment }, extra.weight));
    } else {
      const field = `file${files.length}`;
      files.push([field, extra.file]);
      inputs.push(weighted({ [extra.kind]: { file: field } }, extra.weight));
    }
  }
  const boxes = [...document.querySelectorAll("input[name=target]")];
  const targets = boxes.filter((box) => box.checked).map((box) => box.value);
  const tags = splitTags($("search-tags").value);
  const [mode, method] = $("fusion").value.split(" ");
  const least = Number($("min-confidence").value);
  const body = { inputs, group_by: $("group-by").value, fusion: { mode, method }, page_size: PAGE, explain: true };
  if (targets.length > 0 && targets.length < boxes.length) body.targets = targets;
  if (tags.length > 0) body.filter = { must: [{ key: "tags", match: { any: tags } }] };
  if (least > 0) body.min_confidence = least;
  if (collection()) body.collection = collection();
  return { body, files };
}

async function search() {
  current?.abort.abort();
  const { body, files } = build();
  if (body.inputs.length === 0) {
    $("search-status").textContent = "";
    return;
  }
  current = { body, files, token: null, shown: 0, abort: new AbortController() };
  fill($("hits"));
  fill($("search-warnings"));
  $("examples").hidden = true;
  $("more-hits").hidden = true;
  $("timing").hidden = true;
  await page(current);
}

async function more() {
  if (current?.token) await page(current);
}

async function page(asked) {
  const status = $("search-status");
  status.textContent = asked.shown ? "Fetching more …" : "Searching …";
  $("view-search").setAttribute("aria-busy", "true");
  const started = performance.now();
  try {
    const body = asked.token ? { ...asked.body, page_token: asked.token } : asked.body;
    let payload = body;
    if (asked.files.length > 0) {
      payload = new FormData();
      payload.append("query", JSON.stringify(body));
      for (const [field, file] of asked.files) payload.append(field, file, file.name);
    }
    const response = await request("/v1/search", { method: "POST", body: payload, signal: asked.abort.signal });
    const answer = await response.json();
    if (asked !== current) return;
    const ms = performance.now() - started;
    clearProblem();
    const labels = asked.body.inputs.map(inputName);
    for (const hit of answer.hits) $("hits").append(card(hit, { labels, like: likeSegment }));
    asked.shown += answer.hits.length;
    asked.token = answer.next_page_token;
    $("more-hits").hidden = !asked.token;
    status.textContent = summary(asked, answer, ms);
    showTiming(response.headers.get("server-timing"), ms);
    if (answer.warnings?.length) {
      fill($("search-warnings"), answer.warnings.map((text) => el("p", { class: "warning" }, icon("warn"), text)));
    }
  } catch (error) {
    if (asked === current && error.name !== "AbortError") {
      status.textContent = "";
      showProblem(error);
    }
  } finally {
    if (asked === current) $("view-search").removeAttribute("aria-busy");
  }
}

function inputName(input, index) {
  const kind = Object.keys(input).find((key) => key !== "weight");
  if (kind === "text") return `“${input.text.length > 28 ? `${input.text.slice(0, 27)}…` : input.text}”`;
  if (kind === "segment") return `like a ${NAMES[extras.find((extra) => extra.segment === input.segment)?.modality] ?? "segment"}`;
  return `${NAMES[kind] ?? kind} ${index + 1}`;
}

function summary(asked, answer, ms) {
  if (asked.shown === 0) return "Nothing found.";
  const count = asked.shown === 1 ? "1 hit" : `${asked.shown} hits`;
  const took = `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return `${count} in ${took}${asked.token ? "; there are more" : ""}${answer.truncated ? " (and some below the search's depth)" : ""}`;
}

/** Server-Timing: "encode;dur=3.1, index;dur=1.2" as a bar. */
function showTiming(header, total) {
  const stages = (header ?? "").split(",").map((entry) => {
    const [name, ...rest] = entry.trim().split(";");
    const ms = Number(rest.find((part) => part.trim().startsWith("dur="))?.split("=")[1]);
    return { name, ms };
  }).filter((stage) => stage.name && Number.isFinite(stage.ms) && stage.name !== "total");
  const box = $("timing");
  box.hidden = stages.length === 0;
  if (box.hidden) return;
  const sum = stages.reduce((all, stage) => all + stage.ms, 0);
  const rest = Math.max(0, total - sum);
  const all = [...stages, { name: "network and page", ms: rest, rest: true }];
  const bar = el("div", { class: "bar", "aria-hidden": "true" }, all.map((stage, index) => {
    const part = el("span", { class: stage.rest ? "stage rest" : `stage s${index % 6}` });
    part.style.flexGrow = String(Math.max(stage.ms, 0.02));
    return part;
  }));
  const legend = el("ul", { class: "legend", "aria-label": "Where the time went" }, all.map((stage, index) =>
    el("li", {}, el("i", { class: stage.rest ? "dot rest" : `dot s${index % 6}` }), `${stage.name} ${stage.ms.toFixed(1)} ms`)));
  fill(box, bar, legend);
}

