"use strict";

// Shows how the background task gets on, and its checksum, without a reload.
const progress = document.querySelector("[data-progress]");
if (progress) {
  const source = new EventSource(progress.dataset.progress);
  source.addEventListener("message", ({ data }) => {
    progress.textContent = `Waiting for the checksum: ${JSON.parse(data).waited} s`;
  });
  source.addEventListener("done", ({ data }) => {
    const found = JSON.parse(data);
    progress.textContent = found ? `SHA-256 ${found.checksum}, ${found.size} bytes` : "The document was deleted.";
    source.close();
  });
}
