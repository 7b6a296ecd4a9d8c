/*
 * The page of the inbox: a file is added as soon as it is uploaded, and its row shows
 * what the background task found. Without this script a button sends the form.
 */

const form = document.getElementById("drop");
const list = document.getElementById("rows");
const input = form.querySelector("input[type=file]");
const direct = Boolean(input.dataset.uploadTicket) && Boolean(globalThis.crypto?.subtle);
const LONGEST_PAUSE_MS = 15_000;

form.querySelector(".send").hidden = true;

/** Announce to screen readers what others see in the row. */
function say(text) {
  document.getElementById("said").textContent = text;
}

function complain(texts) {
  document.getElementById("errors").replaceChildren(...texts.map(paragraph));
}

function paragraph(text) {
  const made = document.createElement("p");
  made.textContent = text;
  return made;
}

const row = (id) => list.querySelector(`[data-id="${id}"]`);

function count(added) {
  const shown = document.getElementById("count");
  shown.textContent = Number(shown.textContent) + added;
  shown.hidden = shown.textContent === "0";
}

/** Insert or replace rows, of which each is the HTML that the server rendered. */
function show(rows) {
  for (const [id, html] of Object.entries(rows)) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const made = template.content.firstElementChild;
    const old = row(id);
    if (!old) {
      list.prepend(made);
      count(1);
    } else if (old.dataset.state !== made.dataset.state) {
      const focused = old.contains(document.activeElement)
        ? document.activeElement.className
        : "";
      old.replaceWith(made);
      if (focused) made.querySelector(`.${focused}`)?.focus();
      say(`${made.dataset.title} is ${made.dataset.state}.`);
    }
  }
  document.getElementById("empty").hidden = Boolean(list.children.length);
}

/** Add the file of an upload that is done, by its token. */
async function add(token) {
  const body = new FormData();
  body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  body.append(token.name, token.value);
  let errors = ["The file could not be added. Check the connection, and try again."];
  try {
    const response = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "application/json" },
      body,
    });
    const answer = await response.json();
    if (response.status === 201) {
      token.closest(".upload-item").remove();
      complain([]);
      show(answer.rows);
      watch();
      return;
    }
    errors = answer.errors ?? [answer.message];
  } catch {
    // The text above.
  }
  complain(errors);
  form.querySelector(".send").hidden = false;
}

if (direct) {
  form.classList.add("direct");
  document.getElementById("droppable").hidden = false;
  form.addEventListener("upload:done", (event) => add(event.detail));
} else {
  input.addEventListener("change", () => form.requestSubmit());
}

let watching = false;

/** Ask for the rows that are being processed, until none is. */
async function watch() {
  if (watching) return;
  watching = true;
  for (let pause = 1000; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    const waiting = [...list.querySelectorAll('[data-state="received"]')];
    if (!waiting.length) break;
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (document.hidden) continue;
    const query = new URLSearchParams(waiting.map((one) => ["id", one.dataset.id]));
    try {
      const response = await fetch(`${list.dataset.url}?${query}`, {
        headers: { Accept: "application/json" },
      });
      // Such as 302 to the login: a reload leads there.
      if (!response.ok || response.redirected) break;
      const { rows } = await response.json();
      // It was deleted meanwhile.
      for (const one of waiting.filter((one) => !(one.dataset.id in rows))) {
        one.remove();
        count(-1);
      }
      show(rows);
    } catch {
      // Without a connection: later.
    }
  }
  watching = false;
}

watch();
