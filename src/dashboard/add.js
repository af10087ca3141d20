// Adding files and words, with the progress of each.

import { followJob, json } from "./api.js";
import { $, bytes, el, fill, icon, splitTags } from "./dom.js";
import { collection, loadCollections } from "./collections.js";
import { loadDocuments } from "./documents.js";
import { problemBody } from "./problem.js";

const AT_ONCE = 3;
let chosen = [];

export function initAdd() {
  $("add-files").addEventListener("change", (event) => {
    choose(event.target.files);
    event.target.value = "";
  });
  $("add-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
}

export function choose(files) {
  chosen.push(...files);
  showChosen();
}

function showChosen() {
  fill($("add-list"), chosen.map((file) =>
    el("li", {}, el("span", {}, file.name), el("span", { class: "muted" }, bytes(file.size)),
      el("button", { type: "button", class: "bare", "aria-label": `Leave out ${file.name}`, on: { click: () => { chosen = chosen.filter((other) => other !== file); showChosen(); } } }, icon("close")))));
}

async function submit() {
  const text = $("add-text-body").value.trim();
  const facts = { collection: $("add-collection").value.trim() || collection() || "default", tags: splitTags($("add-tags").value) };
  const title = $("add-title").value.trim();
  if (title) facts.title = title;
  if (chosen.length === 0 && !text) {
    $("add-files").focus();
    return;
  }
  const together = $("add-together").checked;
  const documents = together || chosen.length <= 1
    ? [{ files: chosen, text }]
    : [...chosen.map((file) => ({ files: [file], text: "" })), ...(text ? [{ files: [], text }] : [])];
  chosen = [];
  showChosen();
  for (const id of ["add-text-body", "add-title"]) $(id).value = "";

  const waiting = documents.map((document) => ({ ...document, row: uploadRow(document) }));
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await upload(next, facts);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  loadDocuments();
  loadCollections().catch(() => {});
}

function uploadRow({ files, text }) {
  const name = files.length === 0 ? `“${text.slice(0, 40)}”` : files.length === 1 ? files[0].name : `${files[0].name} and ${files.length - 1} more`;
  const bar = el("progress", { max: 1, "aria-label": `Progress of ${name}` });
  const note = el("span", { class: "muted" }, "waiting");
  const node = el("li", { class: "upload" }, el("span", { class: "grow" }, name), note, bar);
  $("uploads").prepend(node);
  return { node, bar, note };
}

async function upload({ files, text, row }, facts) {
  const { node, bar, note } = row;
  try {
    note.textContent = "sending";
    const form = new FormData();
    const parts = files.map((file, index) => ({ file: `file${index}`, name: file.name }));
    if (text) parts.push({ text });
    form.append("document", JSON.stringify({ ...facts, parts }));
    files.forEach((file, index) => form.append(`file${index}`, file, file.name));
    const { job } = await json("/v1/documents", { method: "POST", body: form });
    const end = await followJob(job, (now) => {
      note.textContent = now.progress?.stage || now.state;
      if (now.progress?.total > 0) bar.value = now.progress.done / now.progress.total;
    });
    const failed = (end.parts ?? []).filter((part) => part.error);
    bar.value = 1;
    node.classList.add(end.state === "succeeded" && failed.length === 0 ? "done" : "failed");
    note.textContent = end.state === "succeeded" ? "added" : end.error || end.state;
    for (const part of failed) node.append(el("p", { class: "error" }, `${part.name ?? part.part}: ${part.error.detail}`));
  } catch (error) {
    bar.value = 0;
    node.classList.add("failed");
    note.textContent = "refused";
    node.append(el("div", { class: "error" }, problemBody(error)));
  }
}
