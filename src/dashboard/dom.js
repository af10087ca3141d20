// Small helpers for the page. Text reaches the document only as text nodes.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

/** el("p", { class: "x", on: { click } }, "words", node): an element. */
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (key === "class") node.className = value;
    else if (key in node && typeof value !== "string") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children.flat(3)) {
    if (child !== undefined && child !== null && child !== false) node.append(child);
  }
}

/** Puts new children in place of the old. */
export function fill(node, ...children) {
  node.replaceChildren();
  add(node, children);
}

/** An icon of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function button(label, handler, { kind = "ghost", symbol, title, busy = true } = {}) {
  const node = el("button", { type: "button", class: kind, title }, symbol && icon(symbol), label);
  node.addEventListener("click", async () => {
    if (busy) node.disabled = true;
    try {
      await handler(node);
    } finally {
      node.disabled = false;
    }
  });
  return node;
}

export const NAMES = { text: "text", image: "picture", audio: "sound", video: "video" };

export function splitTags(text) {
  return [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))];
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB"];
  let step = 0;
  while (count >= 1000 && step < units.length - 1) {
    count /= 1000;
    step += 1;
  }
  return `${step && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[step]}`;
}

export function time(ms) {
  const seconds = ms / 1000;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

export function when(text) {
  const date = new Date(text);
  if (!text || Number.isNaN(date.valueOf())) return "";
  const sameDay = date.toDateString() === new Date().toDateString();
  return sameDay ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }) : date.toLocaleString();
}
