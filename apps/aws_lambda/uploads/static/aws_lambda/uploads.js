/*
 * Send the files of inputs with a data-upload-ticket straight to the bucket.
 *
 * A file is sent in parts, each with its checksum, and the form gets a token instead of
 * the file. Without this script, or without WebCrypto, which browsers have on https
 * and localhost only, the form sends the file itself.
 */

const INPUT = "input[type=file][data-upload-ticket]";
const PARALLEL = 3;
// Signed together: checksums are computed before, and the links are valid for minutes.
const BATCH = 8;
// With their pauses, about a minute. The button "Try again" continues after it.
const ATTEMPTS = 8;
const LONGEST_PAUSE_MS = 30_000;

/** An answer with a text for the user: trying again does not help. */
class Refusal extends Error {}

const uploads = new Map(); // by their list item
let leaving = null; // what the user has submitted: {form, submitter}

/** The storage of the tab. Where it is full or forbidden, nothing is resumed. */
const memory = {
  get(key) {
    try {
      return JSON.parse(sessionStorage.getItem(key));
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      if (value) sessionStorage.setItem(key, JSON.stringify(value));
      else sessionStorage.removeItem(key);
    } catch {
      // As above.
    }
  },
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function pause(attempt) {
  if (!navigator.onLine) {
    const online = new Promise((resolve) =>
      addEventListener("online", resolve, { once: true }),
    );
    await Promise.race([online, sleep(LONGEST_PAUSE_MS)]);
  }
  const longest = Math.min(500 * 2 ** attempt, LONGEST_PAUSE_MS);
  await sleep(longest * (0.5 + Math.random() / 2));
}

/** Return the base64 of the SHA-256. WebCrypto takes whole buffers: one part. */
async function checksum(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}

/** Reads the parts of a file into one buffer: new ones are collected late. */
class PartReader {
  constructor(size) {
    this.buffer = new ArrayBuffer(size);
  }

  /** Return the bytes of a blob, until the next call. */
  async read(blob) {
    let reader;
    try {
      reader = blob.stream().getReader({ mode: "byob" });
    } catch {
      // Not all browsers have such readers for blobs.
      return blob.arrayBuffer();
    }
    let end = 0;
    while (end < blob.size) {
      const rest = new Uint8Array(this.buffer, end, blob.size - end);
      const { done, value } = await reader.read(rest);
      // The view that was given is of no use any more.
      this.buffer = value.buffer;
      end += value.byteLength;
      if (done) break;
    }
    return new Uint8Array(this.buffer, 0, end);
  }
}

/** One file, on its way to the bucket. */
class Upload {
  constructor(input, file) {
    this.box = input.closest(".upload");
    this.input = input;
    this.file = file;
    this.state = "sending";
    this.abort = new AbortController();
    this.token = "";
    this.sent = new Map(); // the bytes of each part that were sent
    this.item = document.createElement("li");
    this.item.className = "upload-item";
    this.name = document.createElement("span");
    this.name.textContent = `${file.name} `;
    this.bar = document.createElement("progress");
    this.bar.max = file.size || 1;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", this.words("sending"));
    this.error = document.createElement("span");
    this.error.className = "upload-error";
    this.error.setAttribute("role", "alert");
    this.again = button(this.box.dataset.retry, file.name, () => this.start());
    this.again.hidden = true;
    this.stop = button(this.box.dataset.cancel, file.name, () => remove(this.item));
    this.item.append(this.name, this.bar, this.error, this.again, this.stop);
    this.box.querySelector(".upload-list").append(this.item);
    uploads.set(this.item, this);
  }

  /** The same file in the same field, in this tab: also after a reload. */
  get key() {
    const { name, size, lastModified } = this.file;
    return `upload ${location.pathname} ${this.input.name} ${name} ${size} ${lastModified}`;
  }

  words(key) {
    return this.box.dataset[key].replace("%s", this.file.name);
  }

  say(text) {
    say(this.box, text, "upload-quiet");
  }

  async start() {
    this.state = "sending";
    this.abort = new AbortController();
    this.error.textContent = "";
    this.again.hidden = true;
    this.stop.textContent = this.box.dataset.cancel;
    this.bar.hidden = false;
    this.say(this.words("sending"));
    try {
      await this.send();
      this.finished();
    } catch (error) {
      if (!this.abort.signal.aborted) this.failed(error);
    }
    changed();
  }

  finished() {
    this.state = "done";
    memory.set(this.key, null);
    const hidden = document.createElement("input");
    hidden.type = "hidden";
    // A formset may have given the input another name meanwhile.
    hidden.name = `${this.input.name}-upload`;
    hidden.value = this.token;
    this.item.append(hidden);
    this.bar.hidden = true;
    this.stop.textContent = this.box.dataset.remove;
    this.name.textContent = this.words("done");
    this.say(this.words("done"));
    // A page may send the form then, and remove the item.
    this.input.dispatchEvent(
      new CustomEvent("upload:done", { bubbles: true, detail: hidden }),
    );
  }

  failed(error) {
    this.abort.abort();
    this.state = "failed";
    const refused = error instanceof Refusal;
    if (refused) {
      // What is left of it is of no use to another attempt.
      memory.set(this.key, null);
      this.token = "";
      this.sent.clear();
    }
    this.error.textContent = refused ? error.message : this.words("failed");
    this.again.hidden = refused;
    this.stop.textContent = this.box.dataset.remove;
    this.bar.hidden = true;
    this.say("");
  }

  async send() {
    const stored = await this.resume();
    if (!this.token) {
      const ticket = this.input.dataset.uploadTicket;
      const { name, size } = this.file;
      const granted = await this.post("start", { ticket, name, size });
      this.token = granted.token;
      this.partSize = granted.partSize;
      this.remember({});
    }
    const count = Math.max(1, Math.ceil(this.file.size / this.partSize));
    const reader = new PartReader(Math.min(this.file.size, this.partSize));
    for (let first = 1; first <= count && !stored.done; first += BATCH) {
      const numbers = [];
      for (let n = first; n < first + BATCH && n <= count; n++) numbers.push(n);
      await this.batch(numbers, stored.parts, reader);
    }
    await this.post(`${this.token}/finish`, {});
  }

  /** Return what the bucket has of this file, from an earlier attempt. */
  async resume() {
    const nothing = { done: false, parts: {} };
    const known = memory.get(this.key);
    if (!known) return nothing;
    try {
      const state = await this.post(`${known.token}/state`, {});
      this.token = known.token;
      this.partSize = state.partSize;
      for (const [number, part] of Object.entries(state.parts)) {
        part.sha256 ||= known.parts[number];
      }
      return state;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      memory.set(this.key, null);
      this.token = "";
      return nothing;
    }
  }

  /** Keep the token, and the checksums of the parts that the bucket has. */
  remember(parts) {
    const known = memory.get(this.key)?.parts;
    memory.set(this.key, { token: this.token, parts: { ...known, ...parts } });
  }

  part(number) {
    const start = (number - 1) * this.partSize;
    return this.file.slice(start, start + this.partSize);
  }

  async batch(numbers, stored, reader) {
    const checksums = {};
    for (const number of numbers) {
      const part = this.part(number);
      const digest = await checksum(await reader.read(part));
      this.abort.signal.throwIfAborted();
      const same = stored[number]?.sha256 === digest;
      if (same && stored[number].size === part.size) this.progress(number, part.size);
      else checksums[number] = digest;
    }
    const signed = await this.sign(checksums);
    const worker = async () => {
      for (let next = signed.shift(); next; next = signed.shift()) {
        await this.put(next, checksums[next.number]);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
  }

  async sign(checksums) {
    if (!Object.keys(checksums).length) return [];
    const answer = await this.post(`${this.token}/sign`, { parts: checksums });
    return answer.parts;
  }

  /** Send a part, until the bucket has it. */
  async put(signed, digest) {
    const { number } = signed;
    for (let attempt = 0; ; attempt++) {
      const status = await this.request(signed);
      // 412: it has the file, and the answer was lost. The server compares it.
      if (status === 200 || status === 412) break;
      this.abort.signal.throwIfAborted();
      if (attempt === ATTEMPTS - 1) throw new Error(`status ${status}`);
      await this.pause(attempt);
      // The link may have expired.
      [signed] = await this.sign({ [number]: digest });
    }
    this.progress(number, this.part(number).size);
    this.remember({ [number]: digest });
  }

  /** Return the status of one attempt, 0 without an answer. */
  request({ number, url, headers }) {
    return new Promise((resolve) => {
      // fetch() knows nothing of the progress of an upload.
      const request = new XMLHttpRequest();
      const stop = () => request.abort();
      this.abort.signal.addEventListener("abort", stop);
      request.upload.onprogress = (event) => this.progress(number, event.loaded);
      request.onloadend = () => {
        this.abort.signal.removeEventListener("abort", stop);
        resolve(request.status);
      };
      request.open("PUT", url);
      for (const [name, value] of Object.entries(headers)) {
        request.setRequestHeader(name, value);
      }
      request.send(this.part(number));
    });
  }

  progress(number, bytes) {
    this.sent.set(number, bytes);
    let sum = 0;
    for (const sent of this.sent.values()) sum += sent;
    this.bar.value = Math.min(sum, this.bar.max);
  }

  /** Return the server's answer. Raises Refusal with its text. */
  async post(path, body) {
    const csrf = csrfToken(this.input);
    for (let attempt = 0; ; attempt++) {
      let status = 0;
      let answer = {};
      try {
        const response = await fetch(this.box.dataset.url + path, {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
          body: JSON.stringify(body),
          signal: this.abort.signal,
        });
        status = response.status;
        answer = await response.json();
      } catch (error) {
        this.abort.signal.throwIfAborted();
      }
      if (status === 200) return answer;
      if (status === 400 && answer.error) throw new Refusal(answer.error);
      if (status >= 400 && status < 500 && status !== 429) {
        throw new Error(`status ${status}`);
      }
      if (attempt === ATTEMPTS - 1) throw new Error(`status ${status}`);
      await this.pause(attempt);
    }
  }

  /** Wait for another attempt, so that the user knows why the bar stands still. */
  async pause(attempt) {
    say(this.box, this.words("waiting"));
    await pause(attempt);
    this.abort.signal.throwIfAborted();
    this.say(this.words("sending"));
  }

  cancel() {
    this.abort.abort();
    memory.set(this.key, null);
    if (this.token) discard(this.input, this.box, this.token);
  }
}

/** The token of the form, or of another one if the input was taken out of the page. */
function csrfToken(input) {
  const found = (input.form ?? document).querySelector("[name=csrfmiddlewaretoken]");
  return found?.value ?? "";
}

/** Delete what was sent. If this fails, a scheduled command does it. */
function discard(input, box, token) {
  const csrf = csrfToken(input);
  fetch(`${box.dataset.url}${token}/cancel`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
    body: "{}",
    keepalive: true,
  }).catch(() => {});
}

/** Announce a text to screen readers. A class hides from others what they see. */
function say(box, text, hidden = "") {
  const status = box.querySelector(".upload-status");
  status.className = `upload-status ${hidden}`;
  status.textContent = text;
}

function button(text, name, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "upload-button";
  made.textContent = text;
  made.setAttribute("aria-description", name);
  made.addEventListener("click", action);
  return made;
}

/** Take an upload out of the form. */
function remove(item) {
  const box = item.closest(".upload");
  const input = box.querySelector(INPUT);
  const upload = uploads.get(item);
  const name = upload ? upload.file.name : item.dataset.name;
  if (upload) upload.cancel();
  else discard(input, box, item.querySelector("input").value);
  uploads.delete(item);
  item.remove();
  require(input);
  say(box, box.dataset.cancelled.replace("%s", name), "upload-quiet");
  input.focus();
  changed();
}

/** The input is required only while the form has no upload for it. */
function require(input) {
  input.dataset.required ??= String(input.required);
  const empty = !input.closest(".upload").querySelector(".upload-item");
  input.required = empty && input.dataset.required === "true";
}

function take(input, files) {
  const box = input.closest(".upload");
  const chosen = input.multiple ? [...files] : [...files].slice(0, 1);
  if (!chosen.length) return;
  if (!input.multiple) box.querySelectorAll(".upload-item").forEach(remove);
  const started = chosen.map((file) => new Upload(input, file));
  // So that the form does not send the file as well.
  input.value = "";
  require(input);
  // One file after the other: each has several requests at the same time.
  (async () => {
    for (const upload of started) if (uploads.has(upload.item)) await upload.start();
  })();
}

const inForm = (form) => [...uploads.values()].filter((u) => u.input.form === form);

/** Submit the form that waits, if nothing is missing any more. */
function changed() {
  if (!leaving) return;
  const { form, submitter } = leaving;
  const states = new Set(inForm(form).map((upload) => upload.state));
  if (states.has("sending")) return;
  leaving = null;
  if (states.has("failed")) return;
  // With the button, or "Save and add another" would be lost.
  form.requestSubmit(submitter?.isConnected ? submitter : undefined);
}

// Before the form's own listeners. The admin's forms are not validated by the browser.
addEventListener(
  "submit",
  (event) => {
    const missing = inForm(event.target).filter((upload) => upload.state !== "done");
    if (!missing.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const failed = missing.find((upload) => upload.state === "failed");
    const box = (failed || missing[0]).box;
    say(box, failed ? box.dataset.unfinished : box.dataset.later);
    if (failed) (failed.again.hidden ? failed.stop : failed.again).focus();
    else leaving = { form: event.target, submitter: event.submitter };
  },
  true,
);

addEventListener("beforeunload", (event) => {
  if ([...uploads.values()].some((u) => u.state === "sending")) event.preventDefault();
});

if (globalThis.crypto?.subtle) {
  // On the document: rows of a formset come later.
  addEventListener("change", (event) => {
    if (event.target.matches?.(INPUT)) take(event.target, event.target.files);
  });
  addEventListener("reset", (event) => {
    event.target.querySelectorAll(".upload-item").forEach(remove);
  });
  // The admin removes the row of a formset with its uploads.
  document.addEventListener("formset:removed", () => {
    for (const [item, upload] of uploads) {
      if (item.isConnected) continue;
      upload.cancel();
      uploads.delete(item);
    }
    changed();
  });
  const target = (event) => {
    const zone = event.target.closest?.(".upload, [data-upload-drop]");
    const input = zone?.querySelector(INPUT);
    return event.dataTransfer?.types.includes("Files") && !input?.disabled && input;
  };
  addEventListener("dragover", (event) => {
    document.querySelector(".upload-over")?.classList.remove("upload-over");
    const input = target(event);
    if (!input) return;
    event.preventDefault();
    input.closest(".upload").classList.add("upload-over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) {
      document.querySelector(".upload-over")?.classList.remove("upload-over");
    }
  });
  addEventListener("drop", (event) => {
    const input = target(event);
    if (!input) return;
    event.preventDefault();
    input.closest(".upload").classList.remove("upload-over");
    take(input, event.dataTransfer.files);
  });
  // What the form has kept when another field had an error.
  document.querySelectorAll(".upload-item").forEach((item) => {
    const text = item.closest(".upload").dataset.remove;
    item.append(button(text, item.dataset.name, () => remove(item)));
  });
}
