// Errors, shown where everyone sees them.

import { $, el, fill, icon } from "./dom.js";

export function problemBody(error) {
  const errors = error.errors ?? [];
  return [
    el("strong", {}, error.title ?? "Something went wrong"),
    " ",
    el("span", {}, error.detail ?? error.message ?? String(error)),
    errors.length > 0 && el("ul", {}, errors.map((fault) => el("li", {}, fault.pointer ? el("code", {}, fault.pointer) : null, " ", fault.detail))),
    error.retry && el("span", { class: "muted" }, ` Try again in ${error.retry} s.`),
    error.request_id && el("span", { class: "muted small" }, ` ${error.request_id}`),
  ];
}

export function showProblem(error) {
  if (error?.name === "AbortError" || error?.status === 401) return;
  const box = $("problem");
  const close = el("button", { type: "button", class: "bare", "aria-label": "Close", on: { click: clearProblem } }, icon("close"));
  fill(box, icon("warn"), el("div", {}, problemBody(error)), close);
  box.hidden = false;
}

export function clearProblem() {
  const box = $("problem");
  box.hidden = true;
  fill(box);
}
