// Writes this server's own address into the examples, and its name and version at the end of the page.
"use strict";

(async () => {
  const root = new URL("../", document.baseURI);
  for (const place of document.querySelectorAll("[data-address]")) place.textContent = root.href.replace(/\/$/, "");
  const answer = await fetch(new URL("info", root)).catch(() => null);
  if (!answer?.ok) return;
  const info = await answer.json();
  document.getElementById("server").textContent = `Server ${info.cluster_name || info.cluster_id}, API version ${info.version}`;
})();
