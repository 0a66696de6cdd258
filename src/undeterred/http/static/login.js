// Logs in, which sets the cookie, and goes on to where the person wanted to be: a path of this site, nothing else.
"use strict";

(function () {
  const byId = (id) => document.getElementById(id);

  function target() {
    const wanted = new URLSearchParams(location.search).get("redirect") || "";
    try {
      const url = new URL(wanted, location.origin);
      if (wanted.startsWith("/") && url.origin === location.origin) return url.pathname + url.search + url.hash;
    } catch (problem) {
      // no path at all
    }
    return "../docs/";
  }

  byId("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = byId("login").querySelector("button");
    button.disabled = true;
    byId("notice").textContent = "";
    try {
      const answer = await fetch("../api/v1/auth/login", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ username: byId("username").value, password: byId("password").value }),
      });
      if (answer.ok) {
        location.replace(target());
        return;
      }
      const problem = await answer.json();
      byId("notice").textContent = `Not logged in: ${(problem.error && problem.error.error) || problem.message || answer.status}`;
      byId("password").select();
    } catch (problem) {
      byId("notice").textContent = `Not logged in: ${problem.message}`;
    } finally {
      button.disabled = false;
    }
  });
})();
