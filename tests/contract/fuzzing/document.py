"""The served OpenAPI document for drawing requests: as it is, or narrowed to values that reach deep."""

import copy
import json
from typing import Any

from tests.contract.fuzzing.known import BY_NAME, BY_SEGMENT, FREE, NUMBERS, TEXTS, TIMES, things

Json = dict[str, Any]
TELLING = ("trialIds", "ids", "metricName", "metricNames", "group", "startDate", "endDate", "timestampAfter", "timestampBefore")
"""Parameters without which an operation refuses or shows little."""
METHODS = ("get", "post", "put", "patch", "delete")


def operations_of(document: Json) -> dict[str, Json]:
    """Operations of the document by id."""
    found = (item[method] for item in document["paths"].values() for method in METHODS if method in item)
    return {operation["operationId"]: operation for operation in found}


def open_to_all(document: Json) -> Json:
    """The document without its word about tokens, which are added to requests when they are sent."""
    result = copy.deepcopy(document)
    result.pop("security", None)
    result["components"].pop("securitySchemes", None)
    for item in result["paths"].values():
        for operation in item.values():
            operation.pop("security", None)
    return result


def with_known_paths(document: Json) -> Json:
    """The same with known values for what a path names: the rest is drawn in any form."""
    result = open_to_all(document)
    for path, item in result["paths"].items():
        for operation in item.values():
            for param in operation["parameters"]:
                if param["in"] == "path":
                    param["schema"] = _narrow(param["schema"], _meaning(param["name"], path))
    return result


def narrowed(document: Json, *, whole: bool = False) -> Json:
    """The same with known values for every parameter and field.

    When `whole`, no field of a body is left out and no telling parameter.
    """
    result = open_to_all(document)
    for path, item in result["paths"].items():
        for operation in item.values():
            for param in operation["parameters"]:
                param["schema"] = _narrow(param["schema"], _meaning(param["name"], path))
                param["required"] |= whole and param["name"] in TELLING
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                content["schema"] = _narrow(content["schema"], "", whole=whole)
    schemas = result["components"]["schemas"]
    for name, schema in schemas.items():
        if "enum" not in schema and name != "Number":
            schemas[name] = _narrow(schema, "", whole=whole)
    return result


def _meaning(name: str, path: str) -> str:
    """The name under which a parameter is looked up: `id` is that of what the segment before it names."""
    last = name.rpartition(".")[2]
    if last != "id":
        return last
    return "id of " + path.partition("/{id}")[0].rpartition("/")[2]


def _narrow(schema: Json, name: str, *, whole: bool = False) -> Json:
    if "$ref" in schema:
        return schema
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        properties = {key: _narrow(value, key, whole=whole) for key, value in schema["properties"].items()}
        needed = {"required": sorted(properties)} if whole else {}
        return schema | {"properties": properties, "additionalProperties": False} | needed
    if kind == "object":
        return _free(schema, name)
    if kind == "array":
        return schema | {"items": _narrow(schema["items"], name, whole=whole), "minItems": 1 if whole else 0, "maxItems": 4}
    if kind == "integer":
        return {"enum": _fitting(name, int) or NUMBERS}
    if kind == "string" and schema.get("format") == "date-time":
        return {"enum": TIMES}
    if kind == "string":
        return {"enum": [str(value) for value in _fitting(name, str, int)] or TEXTS}
    return schema


def _free(schema: Json, name: str) -> Json:
    """An object of any form: one of those known; a map to something that is described keeps its form."""
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        return schema | {"propertyNames": {"enum": ["default", "a", "b/", ""]}, "additionalProperties": _narrow(values, name)}
    found = _fitting(name, dict) or FREE
    return {"enum": [json.loads(text) for text in dict.fromkeys(json.dumps(value) for value in found)]}


def _fitting(name: str, *kinds: type) -> list[Any]:
    if name.startswith("id of "):
        kinds_named = BY_SEGMENT.get(name.removeprefix("id of "))
        return things(*kinds_named) if kinds_named else []
    return [value for value in BY_NAME.get(name, ()) if isinstance(value, kinds)]
