// The collection that everything on the page is about.

import { json } from "./api.js";
import { $, el, fill } from "./dom.js";

const listeners = [];

/** The chosen collection; empty for all. */
export const collection = () => $("collection").value;

export function whenCollectionChanges(listener) {
  listeners.push(listener);
}

export function initCollections() {
  $("collection").addEventListener("change", () => listeners.forEach((listener) => listener()));
}

export async function loadCollections() {
  const { collections } = await json("/v1/collections?page_size=200");
  const chosen = collection();
  fill($("collection"), el("option", { value: "" }, "All"),
    collections.map(({ name, documents }) => el("option", { value: name }, documents === undefined ? name : `${name} (${documents})`)));
  $("collection").value = collections.some(({ name }) => name === chosen) ? chosen : "";
}
