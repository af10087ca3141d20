// The server's API: one place that sends the key, and turns RFC 9457 problems into errors.

const STORE = "sensorium.key";
let key = sessionStorage.getItem(STORE) ?? localStorage.getItem(STORE) ?? "";
let onUnauthorized = () => {};

export function hasKey() {
  return key !== "";
}

export function setKey(value, remember) {
  key = value;
  sessionStorage.removeItem(STORE);
  localStorage.removeItem(STORE);
  if (key) (remember ? localStorage : sessionStorage).setItem(STORE, key);
  dropMedia();
}

export function whenUnauthorized(handler) {
  onUnauthorized = handler;
}

/** An answer that is not 2xx, or none at all. */
export class Problem extends Error {
  constructor({ title, detail, status = 0, errors = [], request_id = "", retry = "" }) {
    super(detail || title);
    Object.assign(this, { title, detail, status, errors, request_id, retry });
  }
}

async function problemOf(response) {
  const retry = response.headers.get("retry-after") ?? "";
  try {
    const body = await response.json();
    return new Problem({ ...body, status: response.status, retry });
  } catch {
    return new Problem({ title: `The server answered ${response.status}`, detail: response.statusText, status: response.status, retry });
  }
}

/** The key goes to this server's own API and nowhere else. */
function own(path) {
  const url = new URL(path, location.origin);
  if (url.origin !== location.origin || !url.pathname.startsWith("/v1/")) {
    throw new Problem({ title: "Refused", detail: `${path} is not an address of this server's API` });
  }
  return url;
}

/** fetch with the key. A value in `body` that is no form is sent as JSON. */
export async function request(path, { method = "GET", body, headers = {}, signal } = {}) {
  const form = body instanceof FormData;
  let response;
  try {
    response = await fetch(own(path), {
      method,
      signal,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body && !form ? { "content-type": "application/json" } : {}),
        ...headers,
      },
      body: body && !form ? JSON.stringify(body) : body,
    });
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Problem) throw error;
    throw new Problem({ title: "The server does not answer", detail: "Is it running?" });
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401) onUnauthorized(problem);
  throw problem;
}

export async function json(path, options) {
  return (await request(path, options)).json();
}

export function query(path, parameters) {
  const url = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") url.set(name, value);
  }
  const text = url.toString();
  return text ? `${path}?${text}` : path;
}

// Media need the key, so they are fetched and shown as blob addresses. The oldest are let go.

const MEDIA_KEPT = 300;
const media = new Map();

export function mediaUrl(path) {
  const clean = path.split("#")[0];
  const found = media.get(clean);
  if (found) {
    media.delete(clean);
    media.set(clean, found);
    return found;
  }
  const made = request(clean).then(async (response) => URL.createObjectURL(await response.blob()));
  media.set(clean, made);
  made.catch(() => media.delete(clean));
  while (media.size > MEDIA_KEPT) {
    const [oldest, url] = media.entries().next().value;
    media.delete(oldest);
    url.then((text) => URL.revokeObjectURL(text), () => {});
  }
  return made;
}

function dropMedia() {
  for (const url of media.values()) url.then((text) => URL.revokeObjectURL(text), () => {});
  media.clear();
}

// Jobs.

const FINAL = new Set(["succeeded", "failed", "cancelled"]);

export const isFinal = (job) => FINAL.has(job.state);

/** Follows a job to its end: by its events, and by asking where they are not to be had. */
export async function followJob(job, onChange) {
  let last = job;
  const seen = (next) => {
    if (!next?.state) return;
    last = next;
    onChange(last);
  };
  seen(job);
  if (!isFinal(last)) {
    try {
      for await (const data of events(`/v1/jobs/${last.id}/events`)) {
        seen(data.job ?? data);
        if (isFinal(last)) break;
      }
    } catch (error) {
      if (error.status === 401 || error.status === 404) throw error;
    }
  }
  while (!isFinal(last)) {
    await new Promise((resolve) => setTimeout(resolve, 700));
    seen(await json(`/v1/jobs/${last.id}`));
  }
  return last;
}

/** Server-sent events over fetch, because EventSource cannot send the key. */
async function* events(path) {
  const response = await request(path, { headers: { accept: "text/event-stream" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      pending = (pending + value).replaceAll("\r\n", "\n");
      const blocks = pending.split("\n\n");
      pending = blocks.pop();
      for (const block of blocks) {
        const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
        if (!data) continue;
        try {
          yield JSON.parse(data);
        } catch {
          // Not ours; the job is asked for in the end.
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
