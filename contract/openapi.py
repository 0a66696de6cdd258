"""Writes the OpenAPI document that the server hands out: `src/undeterred/http/static/openapi.json`.

    python contract/openapi.py            write
    python contract/openapi.py --check    exit 1 when the file on disk differs

Sources are `contract.json` and `extensions.json` (what there is), and `descriptions/` (our words about it). The bytes
depend on nothing else.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from generate import load
from openapi_examples import Examples
from openapi_schemas import Schemas
from openapi_words import Words

HERE = Path(__file__).parent
TARGET = HERE.parent / "src" / "undeterred" / "http" / "static" / "openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")

Json = dict[str, Any]

ERROR: Json = {
    "type": "object",
    "description": "Why a request was refused.",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "reason", "error"],
            "additionalProperties": False,
            "properties": {
                "code": {"type": "integer", "description": "Number of the kind of failure, for programs."},
                "reason": {"type": "string", "description": "Name of the kind of failure, for programs."},
                "error": {"type": "string", "description": "What was wrong and what is allowed, for people."},
            },
        }
    },
}
STREAM_ERROR: Json = {
    "type": "object",
    "description": "Why a stream was refused, or as its last line: why it ended early.",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["grpcCode", "httpCode", "message", "httpStatus", "details"],
            "additionalProperties": False,
            "properties": {
                "grpcCode": {"type": "integer", "description": "Number of the kind of failure, for programs."},
                "httpCode": {"type": "integer", "description": "HTTP status."},
                "message": {"type": "string", "description": "What was wrong and what is allowed, for people."},
                "httpStatus": {"type": "string", "description": "HTTP status in words."},
                "details": {"type": "array", "description": "Always empty.", "items": {}},
            },
        }
    },
}
PLAIN_ERROR: Json = {
    "type": "object",
    "description": "Why a request outside /api/v1/ was refused.",
    "required": ["message"],
    "properties": {"message": {"type": "string", "description": "What was wrong."}},
}
ERRORS: Json = {"Error": ERROR, "PlainError": PLAIN_ERROR, "StreamError": STREAM_ERROR}
KINDS = {
    "400": (3, "InvalidArgument", "Bad Request"),
    "401": (16, "Unauthenticated", "Unauthorized"),
    "403": (7, "PermissionDenied", "Forbidden"),
    "404": (5, "NotFound", "Not Found"),
    "409": (6, "AlreadyExists", "Conflict"),
    "default": (13, "Internal", "Internal Server Error"),
}
"""HTTP status -> number and name of the kind of failure, words of the status."""


def shape(op: Json) -> str:
    """The path without the names of its parameters, which are no part of what is sent."""
    return re.sub(r"\{[^}]*\}", "{}", op["path"])


class Document:
    """Puts the document together."""

    def __init__(self, contract: Json, words: Words) -> None:
        self.contract = contract
        self.words = words
        self.schemas = Schemas(contract, words)
        self.examples = Examples(contract, words)
        self.names = self.path_names()

    def path_names(self) -> dict[str, list[str]]:
        """Shape of a path -> one set of parameter names for all its methods, without dots."""
        result: dict[str, list[str]] = {}
        for op in sorted(self.contract["operations"], key=lambda op: any("." in p["name"] for p in op["path_params"])):
            names = [name.rsplit(".", 1)[-1] for name in re.findall(r"\{([^}]*)\}", op["path"])]
            result.setdefault(shape(op), names)
        return result

    def path(self, op: Json) -> str:
        """The path as the document writes it."""
        names = iter(self.names[shape(op)])
        return re.sub(r"\{[^}]*\}", lambda _: "{" + next(names) + "}", op["path"])

    def build(self) -> Json:
        """The whole document."""
        common = self.words.common
        paths: Json = {}
        for op in self.contract["operations"]:
            paths.setdefault(self.path(op), {})[op["method"].lower()] = self.operation(op)
        areas = [area for area in common["order"] if area in self.words.areas]
        areas += [area for area in self.words.areas if area not in areas]
        tags = [{"name": self.words.areas[a]["tag"], "description": self.words.areas[a]["about"].strip()} for a in areas]
        return {
            "openapi": "3.1.0",
            "info": {
                "title": common["title"],
                "version": self.contract["source"]["release"],
                "summary": common["summary"].strip(),
                "description": common["intro"].strip(),
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "../../", "description": "The server that this document comes from."}],
            "tags": tags,
            "security": [{"bearer": []}],
            "paths": {
                path: {method: item[method] for method in METHODS if method in item} for path, item in sorted(paths.items())
            },
            "components": {
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "description": common["bearer"].strip()},
                },
                "responses": self.refusal_responses(),
                "schemas": dict(sorted((self.schemas.components() | ERRORS).items())),
            },
        }

    def operation(self, op: Json) -> Json:
        """One operation."""
        entry = self.words.operations[op["id"]]
        description = entry["description"].strip()
        if op["streaming"]:
            description += "\n\n" + self.words.common["stream"].strip()
        result: Json = {
            "operationId": op["id"],
            "tags": [self.words.areas[op["area"]]["tag"]],
            "summary": entry["summary"].strip(),
            "description": description,
            "parameters": self.parameters(op),
        }
        if op["body"]:
            content = {"schema": self.schemas.request_body(op), "example": self.examples.request(op)}
            result["requestBody"] = {"required": True, "content": {"application/json": content}}
        result["responses"] = self.responses(op, entry)
        if op["auth"] is False or op["auth"] == "none":
            result["security"] = []
        if entry.get("deprecated"):
            result["deprecated"] = True
        return result

    def parameters(self, op: Json) -> list[Json]:
        """Path and query parameters."""
        result = []
        shown = dict(zip(re.findall(r"\{([^}]*)\}", op["path"]), self.names[shape(op)], strict=True))
        for place in ("path", "query"):
            for param in op[f"{place}_params"]:
                schema = self.schemas.value(param, request=True)
                required = place == "path" or bool(param.get("required"))
                item: Json = {"name": shown.get(param["name"], param["name"]), "in": place, "required": required}
                item["description"] = str(self.words.parameter(op, param["name"])).strip()
                if param.get("repeated"):
                    schema = {"type": "array", "items": schema}
                    item |= {"style": "form", "explode": True}
                result.append(item | {"schema": schema})
        return result

    def responses(self, op: Json, entry: Json) -> Json:
        """The answer and the refusals."""
        answer = self.schemas.ref(op["response"], request=False)
        if op["streaming"]:
            line = {"type": "object", "required": ["result"], "properties": {"result": answer}}
            answer = {"anyOf": [line, {"$ref": "#/components/schemas/StreamError"}]}
        text = str(self.words.common["streamed" if op["streaming"] else "answered"]).strip()
        content = {"schema": answer, "example": self.examples.answer(op)}
        result: Json = {"200": {"description": text, "content": {"application/json": content}}}
        family = self.family(op)
        for status, words in self.refusals(op, entry).items():
            refusal = {"$ref": f"#/components/responses/{family}{status}"}
            own = words.strip()
            result[status] = refusal if own == self.common_words(status) else refusal | {"description": own}
        return result

    @staticmethod
    def family(op: Json) -> str:
        """Which form an operation's refusals have: a stream has its own, and so has what lies outside /api/v1/."""
        if not op["path"].startswith("/api/"):
            return "Plain"
        return "Stream" if op["streaming"] else "Refused"

    def common_words(self, status: str) -> str:
        """What a refusal means unless an operation says more."""
        errors = self.words.common["errors"]
        return str(errors["default"] if status == "default" else errors[int(status)]).strip()

    def refusal_responses(self) -> Json:
        """The refusals that operations refer to."""
        result = {}
        for family in ("Refused", "Stream", "Plain"):
            for status in KINDS:
                content = {"application/json": self.refusal(family, status)}
                result[f"{family}{status}"] = {"description": self.common_words(status), "content": content}
        used = {self.family(op) for op in self.contract["operations"]}
        return {name: value for name, value in result.items() if any(name.startswith(family) for family in used)}

    def refusals(self, op: Json, entry: Json) -> dict[str, str]:
        """Status -> words. What an operation says itself wins; 404 is for what a path names, 409 only where told."""
        own = {str(status): text for status, text in entry.get("errors", {}).items()}
        public = op["auth"] is False or op["auth"] == "none"
        usual = {"400", "default"} | (set() if public else {"401", "403"}) | ({"404"} if op["path_params"] else set())
        statuses = [status for status in KINDS if status in own or status in usual]
        return {status: own.get(status, self.common_words(status)) for status in statuses}

    def refusal(self, family: str, status: str) -> Json:
        """Schema and example of a refusal."""
        code, reason, title = KINDS[status]
        text = self.words.common["messages"][status]
        if family == "Plain":
            return {"schema": {"$ref": "#/components/schemas/PlainError"}, "example": {"message": text}}
        if family == "Stream":
            number = 500 if status == "default" else int(status)
            error = {"grpcCode": code, "httpCode": number, "message": text, "httpStatus": title, "details": []}
            both = [{"$ref": "#/components/schemas/StreamError"}, {"$ref": "#/components/schemas/Error"}]
            return {"schema": {"anyOf": both}, "example": {"error": error}}
        error = {"code": code, "reason": reason, "error": text}
        return {"schema": {"$ref": "#/components/schemas/Error"}, "example": {"error": error}}


def render(document: Json) -> bytes:
    """The bytes of the file: no white space, keys in the order of the document."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def main() -> int:
    """Write the file, or compare it with `--check`."""
    words, contract = Words(HERE / "descriptions"), load()
    document = Document(contract, words)
    missing = words.missing(contract, document.schemas.described_fields())
    for line in missing:
        print(f"descriptions: {line}", file=sys.stderr)
    if missing:
        return 1
    data = render(document.build())
    if "--check" in sys.argv[1:]:
        if TARGET.exists() and TARGET.read_bytes() == data:
            return 0
        print(f"stale: {TARGET.relative_to(HERE.parent)}; run: python contract/openapi.py", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(data)
    print(f"{TARGET.name}: {len(contract['operations'])} operations, {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
