"""Draws requests for an operation: valid ones that reach deep, valid ones of any form, invalid ones, and such as no client sends.

The same seed gives the same requests, as long as the document and the versions of the libraries are the same.
"""

import contextlib
import json
import random
import urllib.parse
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import hypothesis
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.contract.fuzzing.document import METHODS, TELLING, narrowed, with_known_paths
from tests.contract.fuzzing.request import Headers, Request, waits

Json = dict[str, Any]
HOST = "http://fuzzed"
MODES = ("known", "whole", "free", "wrong", "raw")
"""Valid requests that reach deep, the same with every field of a body, valid ones of any form, invalid ones, spoilt ones."""


class Drawing:
    """Strategies for all operations of a document."""

    def __init__(self, document: Json) -> None:
        self.operations: dict[str, Json] = {}
        """Operations of the document by id."""
        self._places: dict[str, list[int]] = {}
        """Segments of an operation's path that are parameters."""
        for path, item in document["paths"].items():
            places = [number for number, segment in enumerate(path.split("/")) if segment.startswith("{")]
            for operation in (item[method] for method in METHODS if method in item):
                self.operations[operation["operationId"]] = operation
                self._places[operation["operationId"]] = places
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._known = _by_id(narrowed(document))
            self._whole = _by_id(narrowed(document, whole=True))
            self._free = _by_id(with_known_paths(document))

    def examples(self, name: str, counts: Mapping[str, int], seed: int) -> list[Request]:
        """At most so many requests of each mode."""
        return [request for mode, count in counts.items() for request in self.requests(name, mode, count, seed)]

    def requests(self, name: str, mode: str, count: int, seed: int) -> list[Request]:
        """At most `count` requests of a mode."""
        if mode == "whole" and not self._has_whole(name):
            return []
        if mode == "raw":
            plain = [one for way in ("known", "whole") for one in self.requests(name, way, 1 + count // 4, seed)]
            return list(_raw(plain, count, self._places[name], random.Random(f"{seed} {name}")))
        if mode == "wrong":
            half = self._drawn(self._known[name], name, "wrong", (count + 1) // 2, seed)
            return half + self._drawn(self._free[name], name, "wrong", count // 2, seed + 1)
        source = {"known": self._known, "whole": self._whole, "free": self._free}[mode]
        return self._drawn(source[name], name, mode, count, seed)

    def _has_whole(self, name: str) -> bool:
        operation = self.operations[name]
        return "requestBody" in operation or any(param["name"] in TELLING for param in operation["parameters"])

    def _drawn(self, operation: Any, name: str, mode: str, count: int, seed: int) -> list[Request]:
        if count == 0:
            return []
        strategy = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE if mode == "wrong" else GenerationMode.POSITIVE)
        drawn: dict[Request, None] = {}

        @hypothesis.seed(f"{seed} {name} {mode}")
        @hypothesis.settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=False,
        )
        @hypothesis.given(strategy)
        def draw(case: Any) -> None:
            drawn[self._request(name, mode, case)] = None

        with warnings.catch_warnings(), contextlib.suppress(Unsatisfiable):  # nothing can be wrong where nothing is taken
            warnings.simplefilter("ignore")
            draw()
        return list(drawn)

    def _request(self, name: str, mode: str, case: Any) -> Request:
        sent = case.as_transport_kwargs(base_url=HOST)
        target = sent["url"].removeprefix(HOST)
        if sent.get("params"):
            query = urllib.parse.urlencode(_texts(sent["params"]), doseq=True, errors="surrogatepass")
            target += ("&" if "?" in target else "?") + query
        body = sent.get("data")
        if "json" in sent:
            body = json.dumps(sent["json"]).encode()
        elif isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        own = ("user-agent", "accept-encoding", "accept", "connection", "x-schemathesis-testcaseid", "host", "content-length")
        headers = tuple((key.lower(), str(value)) for key, value in sent["headers"].items() if key.lower() not in own)
        return Request(name, sent["method"], target, body, headers, mode, waits(name, self.operations[name]))


def _by_id(document: Json) -> dict[str, Any]:
    found = [result.ok() for result in schemathesis.openapi.from_dict(document).get_all_operations()]
    return {one.definition.raw["operationId"]: one for one in found}


def _texts(params: Json) -> list[tuple[str, Any]]:
    """Query parameters as urlencode takes them: JSON's own words for booleans and null, JSON for objects."""
    result = []
    for key, value in params.items():
        for one in value if isinstance(value, list) else [value]:
            text = one if isinstance(one, str) else json.dumps(one)
            result.append((key, text.encode("utf-8", "surrogatepass")))
    return result


DEEP = b"[" * 20_000
BODIES = (
    b"",
    b"null",
    b"[]",
    b"0",
    b'"x"',
    b"{",
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"{}{}",
    b"NaN",
    b'{"a": NaN}',
    b'{"id": 1e999}',
    b'{"a": "\\ud800"}',
    b'{"\xff": 1}',
    DEEP,
    b'{"config": ' * 99 + b"1" + b"}" * 99,
    b'{"limit": ' + b"9" * 5000 + b"}",
    b"\0" * 100,
)
TEXTS = 0.7
"""How often a text that carries an object is spoilt inside, where there is one."""
KEYS = 0.1
"""How often a key is spoilt instead of its value."""
NAMES = ("", "\0", "a.b", "__class__", "$ref", "\ud800", "x" * 300, "name")
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    1e300,
    1_000_000,
    2**63,
    2**64,
    10**400,
    "",
    "\0",
    "\ud800",
    "💥" * 50,
    "NaN",
    "Infinity",
    [],
    {},
    [None],
    [[]],
    ["x", "x"],
    {"": None},
    {"a": {"a": {"a": [1]}}},
    float("nan"),
    float("inf"),
    "9999-99-99T99:99:99Z",
    "x" * 70_000,
)
HEADERS: tuple[Headers, ...] = (
    (("content-type", "text/plain"),),
    (("content-type", "application/x-www-form-urlencoded"),),
    (("content-type", "multipart/form-data"),),
    (("content-type", ""),),
    (("content-type", "application/json; charset=utf-7"), ("accept", "text/html;q=x")),
    (("authorization", "Bearer"),),
    (("authorization", "Bearer \xff\xfe"),),
    (("authorization", "Basic eDp4"),),
    (("authorization", "Bearer " + "x" * 5000),),
    (("cookie", 'auth="\\777; ;=;auth'), ("accept-encoding", "gzip;q=\xff")),
    (("grpc-metadata-x-allocation-token", "Bearer x"),),
    (("x-forwarded-for", "not an address"), ("x-forwarded-proto", "\xff"), ("forwarded", "for=")),
    (("origin", "http://["), ("sec-fetch-site", "cross-site")),
    (("if-none-match", "*"), ("range", "bytes=5-1"), ("expect", "x"), ("te", "\t")),
    tuple((f"x-{number}", "y") for number in range(80)),
)
TARGETS = ("%00", "%ff%fe", "..", "%2e%2e%2f", "99999999999999999999", "-0", "1e3", "%F0%9F%92%A5", "x" * 4000, "%", "{id}", "*")
QUERIES = (
    "limit=&offset=",
    "a=%ff",
    "=",
    "&&&",
    "limit=1e400",
    "%",
    "limit=1&limit=2&limit=x",
    "pretty",
    "x" * 5000,
    "a[]=1&a.b.c=2",
)


def _raw(plain: list[Request], count: int, places: list[int], random_: random.Random) -> Iterator[Request]:
    """Known requests, each spoilt in one place."""
    for _ in range(count):
        request = random_.choice(plain)
        ways = [
            "headers",
            "query",
            *(["path"] if places else []),
            *(["body", "field", "field"] if request.body is not None else []),
        ]
        way = random_.choice(ways)
        target, body, headers = request.target, request.body, request.headers
        if way == "body":
            body = random_.choice(BODIES)
        elif way == "field":
            body = _spoilt(body or b"", random_)
        elif way == "headers":
            headers = (*headers, *random_.choice(HEADERS))
        elif way == "path":
            path, _, query = target.partition("?")
            segments = path.split("/")
            segments[random_.choice(places)] = random_.choice(TARGETS)
            target = "/".join(segments) + ("?" + query if query else "")
        else:
            target += ("&" if "?" in target else "?") + random_.choice(QUERIES)
        yield Request(request.operation, request.method, target, body, headers, "raw", request.waits)


def _spoilt(body: bytes, random_: random.Random) -> bytes:
    """The body with a wrong value somewhere inside, also inside of what it carries as text."""
    return json.dumps(_spoilt_value(json.loads(body), random_)).encode("utf-8", "surrogatepass")


def _spoilt_value(value: Any, random_: random.Random) -> Any:
    places = list(_places(value))
    if not places:
        return random_.choice(VALUES)
    texts = [(holder, key) for holder, key in places if _carried(holder[key])]
    if texts and random_.random() < TEXTS:
        holder, key = random_.choice(texts)
        holder[key] = json.dumps(_spoilt_value(_carried(holder[key]), random_))
        return value
    holder, key = random_.choice(places)
    if isinstance(holder, dict) and random_.random() < KEYS:
        holder[random_.choice(NAMES)] = holder.pop(key)
    else:
        holder[key] = random_.choice(VALUES)
    return value


def _carried(value: Any) -> Any:
    """What a text says as YAML or JSON, where that is an object."""
    if not isinstance(value, str) or ":" not in value:
        return None
    try:
        found = yaml.safe_load(value)
        json.dumps(found)  # an alias may make it hold itself
    except (yaml.YAMLError, ValueError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)
