// The list of jobs, kept fresh while it is looked at.

import { isFinal, json, query, request } from "./api.js";
import { $, button, el, fill, when } from "./dom.js";
import { showProblem } from "./problem.js";

let timer = 0;
let token = null;
let extended = false;

export function initJobs() {
  $("more-jobs").addEventListener("click", async () => {
    extended = true;
    await load(token, true);
  });
}

export async function showJobs() {
  clearTimeout(timer);
  extended = false;
  await refresh();
}

export function hideJobs() {
  clearTimeout(timer);
}

async function refresh() {
  const active = await load(null, false);
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (document.hidden || extended || $("view-jobs").hidden) return;
    refresh();
  }, active ? 1000 : 5000);
}

async function load(from, append) {
  try {
    const page = await json(query("/v1/jobs", { page_size: 30, page_token: from }));
    token = page.next_page_token;
    const rows = page.jobs.map(row);
    if (append) $("jobs").append(...rows);
    else fill($("jobs"), rows);
    $("jobs-empty").hidden = $("jobs").children.length > 0;
    $("more-jobs").hidden = !token;
    return page.jobs.some((job) => !isFinal(job));
  } catch (error) {
    showProblem(error);
    return false;
  }
}

function row(job) {
  const progress = job.progress ?? {};
  const total = progress.total ?? 0;
  const failed = (job.parts ?? []).filter((part) => part.error).length;
  return el("tr", {},
    el("td", {}, el("code", {}, job.id)),
    el("td", {}, typeof job.kind === "string" ? job.kind : job.kind?.kind ?? ""),
    el("td", {}, el("span", { class: `state ${job.state}` }, job.state), failed > 0 && el("span", { class: "error" }, ` ${failed} bad`)),
    el("td", {},
      !isFinal(job) && total > 0 && el("progress", { max: total, value: progress.done, "aria-label": "Progress" }),
      el("span", { class: "muted" }, job.error || [progress.stage, total > 0 && `${progress.done}/${total}`, progress.segments > 0 && `${progress.segments} segments`].filter(Boolean).join(" · "))),
    el("td", {}, when(job.started_at ?? job.created_at)),
    el("td", {}, !isFinal(job) && button("Cancel", async () => {
      try {
        await request(`/v1/jobs/${job.id}/cancel`, { method: "POST" });
        await refresh();
      } catch (error) {
        showProblem(error);
      }
    })));
}
