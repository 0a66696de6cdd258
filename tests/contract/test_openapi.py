"""The OpenAPI document: complete, valid, true to the recorded answers, and fresh."""

import copy
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "contract"))
openapi = importlib.import_module("openapi")
words = importlib.import_module("openapi_words")

RECORDINGS = ROOT / "tests" / "conformance"
SAMPLES: dict[str, Any] = {"string": "1", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def contract() -> Json:
    """The contract with our own operations."""
    return openapi.load()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def document() -> Json:
    """The document as it is served."""
    return json.loads(openapi.TARGET.read_bytes())  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def operations(document: Json) -> dict[str, Json]:
    """Operations of the document by id."""
    return {op["operationId"]: op for item in document["paths"].values() for op in item.values()}


def schema_of(response: Json, document: Json) -> Json:
    """Schema of a response, through a reference to a shared refusal."""
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    return response["content"]["application/json"]["schema"]  # type: ignore[no-any-return]


def problems(schema: Json, value: Any, document: Json) -> list[str]:
    """What a value breaks in a schema of the document."""
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


def shape(path: str) -> str:
    """A path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_the_file_is_what_the_generator_writes(document: Json, contract: Json) -> None:
    """The served file equals what the contract and the descriptions give, byte for byte, each time."""
    made = [openapi.render(openapi.Document(contract, words.Words(openapi.HERE / "descriptions")).build()) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0] == openapi.TARGET.read_bytes(), "run: python contract/openapi.py"


def test_the_document_is_valid(document: Json) -> None:
    """A validator of OpenAPI 3.1 finds nothing."""
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_operation_is_there(document: Json, contract: Json) -> None:
    """Each operation of the contract stands under its method and path, and no path is there twice under other names."""
    shown = {(method, shape(path)): op["operationId"] for path, item in document["paths"].items() for method, op in item.items()}
    assert shown == {(op["method"].lower(), shape(op["path"])): op["id"] for op in contract["operations"]}
    assert len({shape(path) for path in document["paths"]}) == len(document["paths"])


def test_every_operation_is_described(operations: dict[str, Json], contract: Json) -> None:
    """Each operation has a short summary, a description, words about each parameter, and examples."""
    for op in contract["operations"]:
        shown = operations[op["id"]]
        assert 0 < len(shown["summary"]) <= 70, op["id"]
        assert "\n" not in shown["summary"], op["id"]
        assert len(shown["description"]) > 40, op["id"]
        assert len(shown["parameters"]) == len(op["path_params"]) + len(op["query_params"]), op["id"]
        for param in shown["parameters"]:
            assert len(param["description"]) > 8, (op["id"], param["name"])
            assert param["required"] or param["in"] == "query", (op["id"], param["name"])
        assert {param["name"] for param in op["query_params"]} <= {param["name"] for param in shown["parameters"]}, op["id"]
        assert "example" in shown["responses"]["200"]["content"]["application/json"], op["id"]
        assert bool(op["body"]) == ("requestBody" in shown), op["id"]


def test_summaries_differ(operations: dict[str, Json]) -> None:
    """No two operations have the same summary."""
    summaries = [op["summary"] for op in operations.values()]
    assert sorted(summaries) == sorted(set(summaries))


def test_every_tag_is_described(document: Json, operations: dict[str, Json]) -> None:
    """Operations are grouped under tags that say what the group is about."""
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert {tag for op in operations.values() for tag in op["tags"]} == described


def test_only_public_operations_need_no_token(operations: dict[str, Json], contract: Json) -> None:
    """Exactly the operations that the contract lets in without a log-in are shown so; of these only Login may answer 401."""
    public = {op["id"] for op in contract["operations"] if op["auth"] in (False, "none")}
    assert {name for name, op in operations.items() if op.get("security") == []} == public
    assert {name for name, op in operations.items() if "401" not in op["responses"]} == public - {"Login"}


def test_every_example_conforms(document: Json, operations: dict[str, Json]) -> None:
    """Each example of a body, an answer or a refusal is valid by the schema beside it."""
    contents = [
        (name, op["requestBody"]["content"]["application/json"]) for name, op in operations.items() if "requestBody" in op
    ]
    contents += [(name, op["responses"]["200"]["content"]["application/json"]) for name, op in operations.items()]
    shared = document["components"]["responses"]
    contents += [(name, response["content"]["application/json"]) for name, response in shared.items()]
    found = {name: problems(content["schema"], content["example"], document) for name, content in contents}
    assert {name: broken for name, broken in found.items() if broken} == {}


def test_bodies_leave_out_what_the_path_fills(operations: dict[str, Json], contract: Json) -> None:
    """A field that is part of the path is not asked for again in the body."""
    for op in contract["operations"]:
        if op["body"] and op["body"]["whole"]:
            properties = operations[op["id"]]["requestBody"]["content"]["application/json"]["schema"]["properties"]
            assert not properties.keys() & {param["name"] for param in op["path_params"]}, op["id"]


def recorded() -> Iterator[tuple[str, int, Any]]:
    """(operation, status, body) of every recorded answer; each line of a stream for itself."""
    for path in sorted((RECORDINGS / "scenarios").glob("*.json")):
        golden = json.loads((RECORDINGS / "golden" / path.name).read_text(encoding="utf-8"))
        answers = {step["id"]: step for step in golden["steps"]}
        for step in json.loads(path.read_text(encoding="utf-8"))["steps"]:
            answer = answers[step["id"]]
            body = answer.get("body")
            for one in (body or []) if answer["kind"] == "stream" else [body]:
                if one is not None:
                    yield step["op"], answer["status"], one


def filled(value: Any, schema: Json, document: Json) -> Any:
    """A recorded value with its placeholders (`<time>`, `${id}`) replaced by something of the right type."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        return value if value is None else filled(value, schema["anyOf"][0], document)
    if isinstance(value, str) and re.search(r"^<.*>$|\$\{", value):
        return plain(schema, document)
    if isinstance(value, dict):
        others = schema.get("additionalProperties") or {}
        return {key: filled(one, schema.get("properties", {}).get(key, others), document) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, schema.get("items", {}), document) for one in value]
    return value


def plain(schema: Json, document: Json) -> Any:
    """Any valid value of a schema."""
    while "$ref" in schema or "anyOf" in schema:
        schema = schema["anyOf"][0] if "anyOf" in schema else document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: plain(schema["properties"][name], document) for name in schema.get("required", [])}
    return SAMPLES[kind]


def test_recorded_answers_conform(document: Json, operations: dict[str, Json]) -> None:
    """Every answer that the original gave, refusals and lines of streams included, is valid by the document."""
    broken, seen = [], set()
    for op, status, body in recorded():
        if op not in operations:
            continue
        responses = operations[op]["responses"]
        schema = schema_of(responses.get(str(status)) or responses["default"], document)
        broken += [f"{op} {status} {line}" for line in problems(schema, filled(body, schema, document), document)]
        seen.add(op)
    assert broken == []
    assert len(seen) > 200


def test_a_broken_answer_is_noticed(document: Json, operations: dict[str, Json]) -> None:
    """A missing field, an unknown one, and an int64 that is a number are no valid answers."""
    content = operations["GetExperiment"]["responses"]["200"]["content"]["application/json"]
    for change in ({"name": ...}, {"surprise": 1}, {"checkpointSize": 12}, {"endTime": 5}):
        answer = copy.deepcopy(content["example"])
        for key, value in change.items():
            if value is ...:
                del answer["experiment"][key]
            else:
                answer["experiment"][key] = value
        assert problems(content["schema"], answer, document), change


def test_missing_words_are_named(contract: Json) -> None:
    """A new operation, parameter or field without words, and words about what is not there, are told by name."""
    described = words.Words(openapi.HERE / "descriptions")
    fields = openapi.Document(contract, described).schemas.described_fields()
    assert described.missing(contract, fields) == []
    more = copy.deepcopy(contract)
    more["operations"].append({**more["operations"][0], "id": "Surprise", "query_params": [{"name": "depth", "type": "int32"}]})
    described.messages["User"]["fields"]["gone"] = {"about": "Not there any more."}
    lines = described.missing(more, [*fields, ("v1User", "shoeSize")])
    assert "operation Surprise: no summary" in lines
    assert "operation Surprise: no words about the parameter depth" in lines
    assert "message User: no words about the field shoeSize" in lines
    assert "message User: the field gone is described, but not there" in lines
