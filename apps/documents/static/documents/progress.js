"use strict";

// Shows how the background task gets on, and what it found, without a reload.
const progress = document.querySelector("[data-progress]");
if (progress) {
  // Not read out by screen readers, each second.
  const waited = progress.querySelector("[aria-hidden]");
  const source = new EventSource(progress.dataset.progress);
  source.addEventListener("message", ({ data }) => {
    waited.textContent = `: ${JSON.parse(data).waited} s`;
  });
  source.addEventListener("done", ({ data }) => {
    source.close();
    const link = document.createElement("a");
    link.href = "";
    link.textContent = "Reload the page";
    progress.replaceChildren(`${summary(JSON.parse(data))} `, link);
  });
}

function summary(found) {
  if (!found) return "The document was deleted.";
  if (!found.checksum) return `${found.status}.`;
  return `${found.status}: ${found.size} bytes, SHA-256 ${found.checksum}.`;
}
