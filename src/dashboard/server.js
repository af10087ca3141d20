// What the server runs: profile, spaces, models; and the banner of the starter profile.

import { json } from "./api.js";
import { $, el, fill, icon } from "./dom.js";

export async function loadServer() {
  const models = await json("/v1/models");
  banner(models);
  fill($("server"),
    el("dl", { class: "properties" },
      el("dt", {}, "profile"), el("dd", {}, el("b", {}, models.profile)),
      models.generation !== undefined && [el("dt", {}, "generation"), el("dd", {}, String(models.generation))]),
    el("div", { class: "scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, ["space", "dimensions", "modality", "model", "precision", "weights", "encoded", "each second", "licence"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, (models.spaces ?? []).flatMap((space) => (space.towers ?? []).map((tower, index) =>
        el("tr", {},
          el("td", {}, index === 0 ? el("b", {}, space.name) : ""),
          el("td", {}, index === 0 ? String(space.dimensions) : ""),
          el("td", {}, el("span", { class: `badge ${tower.modality}` }, icon(tower.modality), tower.modality)),
          el("td", {}, el("code", {}, tower.model)),
          el("td", {}, tower.precision ?? ""),
          el("td", {}, `${(tower.weights_bytes / 1e6).toFixed(1)} MB`),
          el("td", {}, String(tower.measured.encoded)),
          el("td", { title: "while the model was at work" }, tower.measured.per_second === null ? "" : tower.measured.per_second.toPrecision(3)),
          el("td", {}, tower.licence ?? ""))))))),
    (models.notes ?? []).map((note) => el("p", { class: "note" }, note)),
    el("p", {}, "The API: ", el("a", { href: "/docs" }, "documentation"), ", ", el("a", { href: "/openapi.json" }, "OpenAPI document"), "."));
}

function banner(models) {
  const starter = models.profile === "starter";
  $("banner").hidden = !starter;
  if (!starter) return;
  fill($("banner"), icon("warn"),
    el("p", {}, el("b", {}, "Profile “starter”."), " It knows text, drawings, icons and instruments. Photographs and recordings of speech need the profile ", el("code", {}, "standard"), "."));
}
