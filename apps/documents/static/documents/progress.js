"use strict";

// Shows how the background task gets on, and what it found, without a reload.
const progress = document.querySelector("[data-progress]");
if (progress) {
  const source = new EventSource(progress.dataset.progress);
  source.addEventListener("message", ({ data }) => {
    progress.textContent = `Waiting for the background task: ${JSON.parse(data).waited} s`;
  });
  source.addEventListener("done", ({ data }) => {
    progress.textContent = summary(JSON.parse(data));
    source.close();
  });
}

function summary(found) {
  if (!found) return "The document was deleted.";
  if (!found.checksum) return `${found.status}.`;
  return `${found.status}: ${found.size} bytes, SHA-256 ${found.checksum}`;
}
