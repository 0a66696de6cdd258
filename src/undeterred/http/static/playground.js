// The playground: Swagger UI over our own document, with a log-in form that puts the token in place.
// All addresses are relative to this page, so that it works under any base path.
"use strict";

(() => {
  const API = new URL("../../api/v1/", document.baseURI);
  const STORED = "undeterred.playground.token";
  const byId = (id) => document.getElementById(id);
  let ui = null;
  let token = sessionStorage.getItem(STORED);

  // Asks the server; throws an Error with the server's own words, and its status, when it refuses.
  async function ask(method, path, body) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    let answer;
    try {
      answer = await fetch(new URL(path, API), {
        method,
        headers: body ? { ...headers, "Content-Type": "application/json" } : headers,
        body: body ? JSON.stringify(body) : undefined,
        credentials: "omit",
      });
    } catch {
      throw new Error("The server cannot be reached.");
    }
    const value = await answer.json().catch(() => ({}));
    if (answer.ok) return value;
    const words = value.error?.error || value.message || `The server answered ${answer.status}.`;
    throw Object.assign(new Error(words), { status: answer.status });
  }

  function notice(text) {
    byId("notice").textContent = text;
  }

  // Swagger UI sends the token from now on, or no longer.
  function authorize() {
    if (!ui) return;
    if (token) ui.preauthorizeApiKey("bearer", token);
    else if (ui.authSelectors.authorized()?.get("bearer")) ui.authActions.logout(["bearer"]);
  }

  function show(user) {
    byId("login").hidden = Boolean(user);
    byId("session").hidden = !user;
    byId("who").textContent = user ? user.displayName || user.username : "";
    byId("who").title = user ? user.username : "";
  }

  function enter(newToken, user) {
    token = newToken;
    sessionStorage.setItem(STORED, token);
    byId("password").value = "";
    show(user);
    notice("");
    authorize();
  }

  function leave(text) {
    token = null;
    sessionStorage.removeItem(STORED);
    show(null);
    notice(text);
    authorize();
  }

  async function logIn(event) {
    event.preventDefault();
    const button = byId("login").querySelector("button");
    button.disabled = true;
    notice("");
    token = null;
    try {
      const body = { username: byId("username").value, password: byId("password").value };
      const answer = await ask("POST", "auth/login", body);
      enter(answer.token, answer.user);
    } catch (problem) {
      notice(`Not logged in: ${problem.message}`);
      byId("password").select();
    } finally {
      button.disabled = false;
    }
  }

  async function logOut() {
    try {
      await ask("POST", "auth/logout");
      leave("Logged out.");
    } catch (problem) {
      leave(problem.status === 401 ? "The session was over already." : `Logged out here only: ${problem.message}`);
    }
  }

  // A tab that was reloaded finds its token again, if it is still good.
  async function resume() {
    if (!token) return;
    try {
      const answer = await ask("GET", "me");
      if (token) enter(token, answer.user);
    } catch (problem) {
      if (problem.status === 401 || problem.status === 403) leave("Your session is over. Log in again.");
      else notice(problem.message);
    }
  }

  // Searching looks at everything that names an operation; Swagger UI's own filter looks at tags alone.
  function matches(operation, tag, words) {
    const parts = [tag, operation.get("path"), operation.get("method")];
    parts.push(operation.getIn(["operation", "operationId"]), operation.getIn(["operation", "summary"]));
    const text = parts.join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  }

  function filterOperations(taggedOperations, phrase) {
    const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
    return taggedOperations
      .map((tag, name) => tag.update("operations", (all) => all.filter((one) => matches(one, name, words))))
      .filter((tag) => tag.get("operations").size > 0);
  }

  // Resolves the references of a part of the document. Swagger UI's own way reads the whole document again for every
  // operation that is opened, which takes seconds; all our references point into this one document, so a walk will do.
  function resolved(document, value, above) {
    if (Array.isArray(value)) return value.map((one) => resolved(document, one, above));
    if (value === null || typeof value !== "object") return value;
    const { $ref: reference, ...rest } = value;
    const own = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, resolved(document, one, above)]));
    if (typeof reference !== "string") return own;
    const parts = reference.replace(/^#\//, "").split("/");
    const title = parts[1] === "schemas" ? { title: parts[2] } : {};
    if (above.includes(reference)) return { type: "object", ...title, ...own };
    const target = parts.reduce((inner, part) => inner[part], document);
    return { ...title, ...resolved(document, target, [...above, reference]), ...own };
  }

  async function resolveSubtree(document, path) {
    const part = path.reduce((inner, key) => inner?.[key], document);
    return { spec: resolved(document, part, []), errors: [] };
  }

  const OwnPlugin = () => ({ fn: { opsFilter: filterOperations, resolveSubtree } });

  // Says how many operations were found and opens their sections when they are few.
  function report(phrase) {
    const found = phrase ? filterOperations(ui.specSelectors.taggedOperations(), phrase) : null;
    const count = found ? found.reduce((sum, tag) => sum + tag.get("operations").size, 0) : 0;
    const words = count === 0 ? "No operation holds all of these words." : count === 1 ? "1 operation" : `${count} operations`;
    byId("found").textContent = found ? words : "";
    if (found && count <= 40) found.forEach((_, name) => ui.layoutActions.show(["operations-tag", name], true));
  }

  function watchSearch() {
    let timer = 0;
    const search = byId("search");
    const apply = () => {
      const phrase = search.value.trim();
      ui.layoutActions.updateFilter(phrase || true);
      report(phrase);
    };
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(apply, 150);
    });
    if (search.value) apply();
  }

  // The introduction of the document is long; it is shown on demand.
  function toggleConventions() {
    const open = document.body.classList.toggle("conventions");
    byId("conventions").setAttribute("aria-expanded", String(open));
  }

  function followColours() {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const apply = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
    dark.addEventListener("change", apply);
    apply();
  }

  function start() {
    ui = SwaggerUIBundle({
      url: new URL("api.swagger.json", API).href,
      dom_id: "#operations",
      presets: [SwaggerUIBundle.presets.apis],
      plugins: [OwnPlugin],
      layout: "BaseLayout",
      deepLinking: true,
      docExpansion: "none",
      defaultModelsExpandDepth: -1,
      displayRequestDuration: true,
      filter: true,
      validatorUrl: null,
      requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
      responseInterceptor: (response) => {
        if (response.status === 401 && token && !response.url.endsWith("/auth/login")) leave("Your session is over. Log in again.");
        return response;
      },
      onComplete: () => {
        authorize();
        watchSearch();
      },
    });
  }

  byId("login").addEventListener("submit", logIn);
  byId("logout").addEventListener("click", logOut);
  byId("conventions").addEventListener("click", toggleConventions);
  followColours();
  start();
  resume();
})();
