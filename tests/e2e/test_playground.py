"""The playground in a real browser against a real server: log in, list experiments, unarchive one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install 'undeterred[browser]'")

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

PASSWORD = "Playground1"
BASE_PATH = "/behind/a/proxy"
CONFIG = (
    "name: seen in the playground\nentrypoint: 'true'\nsearcher: {name: single, metric: loss}\nresources: {slots_per_trial: 0}\n"
)
BROWSER_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server of its own, ended with the tests. It also answers below a base path."""
    folder = tmp_path_factory.mktemp("playground")
    (folder / "settings.yaml").write_text(f"undeterred: {{base_path: {BASE_PATH}}}\n")
    command = [sys.executable, "-m", "undeterred.cli.main", "up", "--port", "0", "--no-agent"]
    command += ["--data-dir", str(folder), "--initial-password", PASSWORD, "--config", str(folder / "settings.yaml")]
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield wait_until_ready(process, folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_until_ready(process: "subprocess.Popen[bytes]", folder: Path) -> str:
    """The server's address, once it answers."""
    record = folder / "server.json"
    for _ in range(600):
        assert process.poll() is None, (folder / "output").read_text()
        if record.exists():
            url = str(json.loads(record.read_text())["url"])
            try:
                httpx.get(f"{url}/info").raise_for_status()
            except httpx.TransportError:
                pass
            else:
                return url
        time.sleep(0.1)
    raise AssertionError((folder / "output").read_text())


class Api:
    """Calls as administrator, beside the browser."""

    def __init__(self, url: str) -> None:
        answer = httpx.post(f"{url}/api/v1/auth/login", json={"username": "admin", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {answer.json()['token']}"})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's body; a refusal fails the test."""
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def experiment(self, number: int) -> Any:
        """One experiment."""
        return self.call("GET", f"/experiments/{number}")["experiment"]


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[Api]:
    """The server's API."""
    opened = Api(server)
    yield opened
    opened.http.close()


@pytest.fixture
def archived(api: Api) -> int:
    """Id of an archived experiment."""
    number = int(api.call("POST", "/experiments", {"config": CONFIG})["experiment"]["id"])
    api.call("POST", f"/experiments/{number}/kill")
    for _ in range(300):
        if api.experiment(number)["state"] == "STATE_CANCELED":
            break
        time.sleep(0.1)
    api.call("POST", f"/experiments/{number}/archive")
    return number


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed (on Debian: apt install chromium)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        yield opened
        opened.close()


class Watched:
    """A page that remembers what went wrong and whom it talked to."""

    def __init__(self, page: Any, server: str) -> None:
        self.page = page
        self.server = server
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: None if self.is_own(request.url) else self.foreign.append(request.url))

    def is_own(self, url: str) -> bool:
        """Whether an address belongs to the server, or is no address at all."""
        return url.startswith((self.server + "/", "data:", "blob:"))

    def open(self) -> None:
        """Open the playground and wait for the operations."""
        self.page.goto(f"{self.server}/docs/rest-api/")
        self.page.locator(".opblock-tag").first.wait_for()

    def log_in(self, password: str = PASSWORD) -> None:
        """Fill in the form and send it."""
        self.page.fill("#username", "admin")
        self.page.fill("#password", password)
        self.page.click("#login button")

    def try_out(self, words: str, operation: str, values: dict[str, str]) -> tuple[int, Any]:
        """Find an operation by words, fill in its parameters, execute it; status and body of the answer."""
        self.page.fill("#search", words)
        block = self.page.locator(f"[id$='-{operation}'].opblock")
        block.locator(".opblock-summary").click()
        block.locator(".try-out__btn").click()
        for name, value in values.items():
            field = block.locator(f"tr[data-param-name='{name}']").locator("input, select").first
            if field.evaluate("element => element.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        block.locator(".execute").click()
        answer = block.locator(".live-responses-table tr.response:has(.highlight-code)")
        status = int(answer.locator(".response-col_status").first.inner_text().split()[0])
        return status, json.loads(answer.locator(".highlight-code code").first.inner_text())


@pytest.fixture
def playground(browser: Any, server: str) -> Iterator[Watched]:
    """The playground in a tab of its own. No script may fail and no other server may be asked."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    watched = Watched(page, server)
    watched.open()
    yield watched
    page.close()
    assert watched.foreign == []


def test_log_in_list_and_unarchive(playground: Watched, api: Api, archived: int) -> None:
    """Somebody logs in by the form, finds the archived experiment by trying the list out, and unarchives it."""
    playground.log_in()
    playground.page.locator("#session").wait_for()
    assert playground.page.inner_text("#who") == "admin"

    status, body = playground.try_out("list experiments", "GetExperiments", {"archived": "true", "limit": "-1"})
    assert status == 200
    assert archived in [experiment["id"] for experiment in body["experiments"]]
    assert body["pagination"]["total"] >= 1

    status, body = playground.try_out("unarchive an experiment", "UnarchiveExperiment", {"id": str(archived)})
    assert (status, body) == (200, {})
    assert api.experiment(archived)["archived"] is False
    assert playground.errors == []


def test_wrong_password_is_told(playground: Watched) -> None:
    """A wrong password leaves the form in place and says what happened."""
    playground.log_in("not this one")
    playground.page.locator("#notice:not(:empty)").wait_for()
    assert playground.page.inner_text("#notice").startswith("Not logged in: ")
    assert playground.page.is_visible("#login")
    assert not playground.page.is_visible("#session")


def test_a_session_survives_a_reload_and_ends_with_log_out(playground: Watched) -> None:
    """The tab keeps its token over a reload; after logging out the token is gone here and refused by the server."""
    page = playground.page
    playground.log_in()
    page.locator("#session").wait_for()
    token = page.evaluate("sessionStorage.getItem('undeterred.playground.token')")
    page.reload()
    page.locator("#session").wait_for()
    page.click("#logout")
    page.locator("#login").wait_for()
    assert page.evaluate("sessionStorage.length") == 0
    answer = httpx.get(f"{playground.server}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_search_looks_at_words_and_paths(playground: Watched) -> None:
    """The search box shows the operations whose name, path or summary holds all words, and says how many."""
    page = playground.page
    page.fill("#search", "trials checkpoints get list")
    page.locator("#found:not(:empty)").wait_for()
    assert page.inner_text("#found") == "1 operation"
    assert page.locator(".opblock").first.inner_text().split()[0] == "GET"
    page.fill("#search", "no such thing at all")
    page.get_by_text("No operation holds").wait_for()
    page.locator(".opblock").wait_for(state="detached")


def test_it_works_below_a_base_path(playground: Watched) -> None:
    """Opened below the base path of a reverse proxy, the page asks for nothing outside of it."""
    asked: list[str] = []
    playground.page.on("request", lambda request: asked.append(request.url))
    playground.server += BASE_PATH
    playground.open()
    playground.log_in()
    playground.page.locator("#session").wait_for()
    status, body = playground.try_out("show your own user", "GetMe", {})
    assert (status, body["user"]["username"]) == (200, "admin")
    assert len(asked) > 5
    assert [url for url in asked if not playground.is_own(url)] == []


def test_the_index_leads_everywhere(playground: Watched) -> None:
    """The page of the documentation names this server and links the playground and the document, and both are there."""
    page = playground.page
    page.goto(f"{playground.server}/docs/")
    page.get_by_text("API version").wait_for()
    assert playground.server in page.locator("[data-address]").first.inner_text()
    targets = page.eval_on_selector_all("a.card", "links => links.map(link => link.href)")
    assert [target.removeprefix(playground.server) for target in targets[:2]] == ["/docs/rest-api/", "/api/v1/api.swagger.json"]
    for target in targets:
        assert httpx.get(target.split("#")[0]).status_code == 200
    assert playground.errors == []


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [(f"{BASE_PATH}/docs/rest-api/?a=b", "/docs/rest-api/?a=b"), ("//evil.example/", "/docs/"), ("", "/docs/")],
)
def test_the_login_page_sets_the_cookie_and_goes_on_within_the_site(
    browser: Any, server: str, api: Api, wanted: str, reached: str
) -> None:
    """A wrong password is told and stays; the right one leads to the wanted page, unless that is another site's."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server}{BASE_PATH}/det/login?redirect={httpx.QueryParams({'r': wanted})['r']}")
    page.fill("#username", "admin")
    page.fill("#password", "wrong")
    page.click("#login button")
    page.locator("#notice", has_text="Not logged in").wait_for()
    page.fill("#password", PASSWORD)
    page.click("#login button")
    page.wait_for_url(f"{server}{BASE_PATH}{reached}")
    assert [cookie["name"] for cookie in context.cookies()] == ["auth"]
    context.close()
