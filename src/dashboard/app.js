// The page: the key, the views, and what is dropped on them.

import { hasKey, json, setKey, whenUnauthorized } from "./api.js";
import { $ } from "./dom.js";
import { addFiles, ask, initSearch, searchAgain } from "./search.js";
import { choose, initAdd } from "./add.js";
import { initCollections, loadCollections, whenCollectionChanges } from "./collections.js";
import { initDocuments, loadDocuments } from "./documents.js";
import { hideJobs, initJobs, showJobs } from "./jobs.js";
import { loadServer } from "./server.js";
import { clearProblem, showProblem } from "./problem.js";

const VIEWS = ["search", "library", "jobs", "server"];
let view = "";

/** Takes `#key=...` out of the address, so that it stays neither there nor in the history. */
function takeKeyFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const key = fragment.get("key");
  if (!key) return false;
  setKey(key, true);
  fragment.delete("key");
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

function route() {
  const fragment = location.hash.slice(1);
  const asked = fragment.split("?")[0];
  const next = VIEWS.includes(asked) ? asked : view || "search";
  const words = new URLSearchParams(fragment.split("?")[1] ?? "").get("q");
  if (next !== view) show(next);
  if (next === "search" && words && hasKey()) ask(words);
}

function show(next) {
  view = next;
  clearProblem();
  for (const name of VIEWS) {
    $(`view-${name}`).hidden = name !== next;
    const link = document.querySelector(`[data-view=${name}]`);
    if (name === next) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  hideJobs();
  if (hasKey()) refresh();
}

function refresh() {
  if (view === "library") loadDocuments();
  if (view === "jobs") showJobs();
}

async function start() {
  if (!hasKey()) {
    askForKey();
    return;
  }
  try {
    await Promise.all([loadCollections(), loadServer()]);
    refresh();
    route();
  } catch (error) {
    showProblem(error);
  }
}

function askForKey(problem) {
  const dialog = $("key-dialog");
  $("key-error").hidden = !problem;
  $("key-error").textContent = problem ? problem.detail || problem.title : "";
  if (!dialog.open) dialog.showModal();
}

function initKey() {
  $("key-button").addEventListener("click", () => askForKey());
  $("key-forget").addEventListener("click", () => {
    setKey("", false);
    location.reload();
  });
  $("key-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    setKey($("key-input").value.trim(), $("key-remember").checked);
    try {
      await json("/v1/models");
      $("key-input").value = "";
      $("key-dialog").close();
      await start();
    } catch (error) {
      askForKey(error);
    }
  });
  whenUnauthorized(askForKey);
}

/** Files may be dropped anywhere: in the library they are to be added, elsewhere they ask. */
function initDrop() {
  const veil = $("drop-veil");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  document.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    veil.firstElementChild.textContent = view === "library" ? "Drop to add" : "Drop to ask with it";
    veil.hidden = false;
  });
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  const leave = () => {
    depth = Math.max(0, depth - 1);
    if (depth === 0) veil.hidden = true;
  };
  document.addEventListener("dragleave", leave);
  document.addEventListener("drop", (event) => {
    depth = 0;
    veil.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (view === "library") {
      choose(files);
    } else {
      if (view !== "search") location.hash = "search";
      addFiles(files);
    }
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0 && view === "search") addFiles(files);
  });
}

const arrived = takeKeyFromAddress();
initKey();
initSearch();
initAdd();
initCollections();
initDocuments();
initJobs();
initDrop();
whenCollectionChanges(() => {
  refresh();
  searchAgain();
});
window.addEventListener("hashchange", () => {
  if (takeKeyFromAddress()) start();
  route();
});
show(VIEWS.includes(location.hash.slice(1).split("?")[0]) && !arrived ? location.hash.slice(1).split("?")[0] : "search");
start();
