// Renders drawings to raw RGBA frames on standard output, in the order of a JSON list of {svg} or {file} given as the first argument.
// usage: node render.mjs LIST.json SIZE > frames.rgba ; a drawing that fails gives an empty (transparent) frame.
import { createRequire } from "node:module";
import { readFileSync, writeSync } from "node:fs";

const require = createRequire(process.env.STARTER_NPM + "/");
const { Resvg } = require("@resvg/resvg-js");

const jobs = JSON.parse(readFileSync(process.argv[2], "utf8"));
const size = Number(process.argv[3]);

function put(bytes) {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

for (const job of jobs) {
  const frame = Buffer.alloc(size * size * 4);
  try {
    const svg = job.svg ?? readFileSync(job.file, "utf8");
    const image = new Resvg(svg, { fitTo: { mode: "width", value: size }, font: { loadSystemFonts: false } }).render();
    const rows = Math.min(image.height, size), columns = Math.min(image.width, size);
    for (let y = 0; y < rows; y++) image.pixels.copy(frame, y * size * 4, y * image.width * 4, (y * image.width + columns) * 4);
  } catch (error) {
    console.error(`${job.name}: ${error}`);
  }
  put(frame);
}
