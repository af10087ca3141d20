// The list of documents, and one document in a dialog.

import { followJob, json, query } from "./api.js";
import { $, button, bytes, el, fill, icon, NAMES, splitTags, when } from "./dom.js";
import { collection, loadCollections } from "./collections.js";
import { preview } from "./media.js";
import { problemBody, showProblem } from "./problem.js";

let token = null;
let asked = 0;

export function initDocuments() {
  $("list-form").addEventListener("submit", (event) => {
    event.preventDefault();
    loadDocuments();
  });
  $("list-modality").addEventListener("change", loadDocuments);
  $("more-documents").addEventListener("click", () => load(token));
  const dialog = $("document-dialog");
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => fill(dialog));
}

export async function loadDocuments() {
  await load(null);
}

async function load(from) {
  asked += 1;
  const mine = asked;
  const must = [];
  const tag = $("list-tag").value.trim();
  const modality = $("list-modality").value;
  if (tag) must.push({ key: "tags", match: { value: tag } });
  if (modality) must.push({ key: "modality", match: { value: modality } });
  try {
    const page = await json(query("/v1/documents", {
      collection: collection(),
      page_size: 50,
      page_token: from,
      filter: must.length > 0 ? JSON.stringify({ must }) : "",
    }));
    if (mine !== asked) return;
    token = page.next_page_token;
    if (!from) fill($("documents"));
    $("documents").append(...page.documents.map(row));
    $("documents-empty").hidden = $("documents").children.length > 0;
    $("more-documents").hidden = !token;
  } catch (error) {
    showProblem(error);
  }
}

function row(document) {
  const title = document.title || document.external_id;
  const name = el("span", {}, title || document.id);
  if (!title) nameByPart(document.id, name);
  const node = el("li", { class: "document" },
    el("button", { type: "button", class: "title", on: { click: () => openDocument(document.id) } }, name),
    el("span", { class: "tags" }, document.tags.map((tag) => el("span", { class: "tag" }, tag))),
    el("span", { class: `state ${document.status}` }, document.status),
    el("span", { class: "muted" }, document.collection),
    el("span", { class: "muted" }, when(document.created_at)),
    el("button", { type: "button", class: "bare danger", "aria-label": `Delete ${title || document.id}`, on: { click: () => remove(document.id, title || name.textContent, node) } }, icon("trash")));
  return node;
}

// A document without a title is called by its first part's name, asked for as the row comes into view.
const names = new IntersectionObserver((entries) => {
  for (const entry of entries.filter(({ isIntersecting }) => isIntersecting)) {
    names.unobserve(entry.target);
    json(`/v1/documents/${entry.target.dataset.id}`).then(({ parts }) => {
      const first = parts?.[0];
      if (!first) return;
      entry.target.textContent = `${first.name ?? NAMES[first.modality]}${parts.length > 1 ? ` and ${parts.length - 1} more` : ""}`;
    }, () => {});
  }
});

function nameByPart(id, node) {
  node.dataset.id = id;
  names.observe(node);
}

async function remove(id, title, node) {
  if (!confirm(`Delete “${title}”? Its files and vectors go too.`)) return;
  try {
    await json(`/v1/documents/${id}`, { method: "DELETE" });
    node?.remove();
    $("documents-empty").hidden = $("documents").children.length > 0;
    loadCollections().catch(() => {});
  } catch (error) {
    showProblem(error);
  }
}

export async function openDocument(id) {
  const dialog = $("document-dialog");
  const close = el("button", { type: "button", class: "bare close", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close"));
  fill(dialog, close, el("p", { class: "muted" }, "Loading …"));
  if (!dialog.open) dialog.showModal();
  try {
    const [document, { segments }] = await Promise.all([
      json(`/v1/documents/${id}`),
      json(`/v1/documents/${id}/segments?page_size=100`),
    ]);
    fill(dialog, close, details(document, segments, dialog));
  } catch (error) {
    fill(dialog, close, el("div", { class: "problem" }, problemBody(error)));
  }
}

function details(document, segments, dialog) {
  const title = el("input", { type: "text", value: document.title ?? "" });
  const tags = el("input", { type: "text", value: document.tags.join(", ") });
  const saved = el("span", { class: "muted", role: "status" });
  const save = async () => {
    try {
      const changed = { title: title.value.trim() || null, tags: splitTags(tags.value) };
      const { job } = await json(`/v1/documents/${document.id}`, { method: "PATCH", body: changed });
      saved.textContent = "saving …";
      await followJob(job, () => {});
      saved.textContent = "saved";
      loadDocuments();
    } catch (error) {
      fill(saved, problemBody(error));
    }
  };
  const name = document.title || document.parts?.[0]?.name || document.id;
  return [
    el("h2", { id: "document-title" }, name),
    el("dl", { class: "properties" },
      pair("id", el("code", {}, document.id)),
      pair("collection", document.collection),
      document.external_id && pair("external id", document.external_id),
      pair("status", el("span", { class: `state ${document.status}` }, document.status)),
      pair("added", when(document.created_at)),
      Object.keys(document.metadata ?? {}).length > 0 && pair("metadata", el("code", {}, JSON.stringify(document.metadata)))),
    (document.parts ?? []).map((part) => partView(part, segments.filter((segment) => segment.part === part.id))),
    el("div", { class: "row" },
      el("label", { class: "field grow" }, "Title", title),
      el("label", { class: "field grow" }, "Tags", tags)),
    el("div", { class: "row end" },
      saved,
      button("Delete", async () => {
        await remove(document.id, name);
        dialog.close();
        loadDocuments();
      }, { kind: "ghost danger", symbol: "trash" }),
      button("Save", save, { kind: "primary" })),
  ];
}

function pair(name, value) {
  return [el("dt", {}, name), el("dd", {}, value)];
}

function partView(part, segments) {
  const texts = segments.filter((segment) => segment.text);
  return el("section", { class: "part" },
    el("h3", {}, icon(part.modality), part.name ?? part.media_type),
    el("p", { class: "muted" }, [part.media_type, bytes(part.size_bytes), `${part.segments} ${part.segments === 1 ? "segment" : "segments"}`].join(" · ")),
    part.error && el("p", { class: "error" }, `${part.error.code}: ${part.error.detail}`),
    preview(part),
    texts.length > 0 && el("details", { open: texts.length < 4 }, el("summary", {}, "Words"), texts.map((segment) => el("p", { class: "words" }, segment.text))));
}
