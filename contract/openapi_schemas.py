"""JSON schemas of the contract's messages and enums, as they stand in the OpenAPI document.

A message is described as it is answered: all fields present, null where the contract says so. The messages that requests
carry too have a second, lenient form, named with `Input` behind it.
"""

from typing import Any

from generate import class_name
from openapi_words import Words

Json = dict[str, Any]

SCALARS: dict[str, Json] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "uint32": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 4294967295},
    "int64": {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    "uint64": {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"},
    "bool": {"type": "boolean"},
    "double": {"$ref": "#/components/schemas/Number"},
    "float": {"$ref": "#/components/schemas/Number"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "object": {"type": "object"},
    "array_any": {"type": "array"},
    "any": {},
}
NUMBER: Json = {
    "description": "A number. What JSON cannot say as a number travels as one of three texts.",
    "anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}],
}
FREE: dict[str, Json] = {
    "protobufFieldMask": {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "properties": {"paths": {"type": "array", "items": {"type": "string"}}}},
        ]
    },
    "protobufAny": {"type": "object"},
}


def references(fields: list[Json]) -> list[str]:
    """Keys of the messages and enums that fields name."""
    values = [field["map"]["value"] if field.get("map") else field for field in fields]
    return [value["ref"] for value in values if value.get("ref")]


def reach(contract: Json, start: list[str]) -> list[str]:
    """The given messages and enums and all that they name, in the order of the contract."""
    seen: set[str] = set()
    todo = list(start)
    while todo:
        key = todo.pop()
        if key in seen or key in FREE:
            continue
        seen.add(key)
        todo += references(contract["messages"][key]["fields"]) if key in contract["messages"] else []
    return [key for key in [*contract["enums"], *contract["messages"]] if key in seen]


def request_fields(contract: Json, op: Json) -> list[Json]:
    """Fields of the message in a request's body, less those that the path fills."""
    body = op["body"]
    key = body.get("ref")
    if key not in contract["messages"]:
        return []
    prefix = "" if body["whole"] else body["field"] + "."
    taken = {param["name"].removeprefix(prefix) for param in op["path_params"]}
    return [field for field in contract["messages"][key]["fields"] if field["name"] not in taken]


class Schemas:
    """Builds the schemas of everything that the operations use."""

    def __init__(self, contract: Json, words: Words) -> None:
        self.contract = contract
        self.messages: Json = contract["messages"]
        self.enums: Json = contract["enums"]
        self.words = words
        ops = contract["operations"]
        self.answered = reach(contract, [op["response"] for op in ops])
        inner = [ref for op in ops if op["body"] for ref in references(request_fields(contract, op))]
        whole = [op["body"]["ref"] for op in ops if op["body"] and op["body"].get("ref")]
        self.requested = reach(contract, inner + whole)

    def described_fields(self) -> list[tuple[str, str]]:
        """(message, field) of everything that needs words."""
        keys = dict.fromkeys([*self.answered, *self.requested])
        return [(key, field["name"]) for key in keys if key in self.messages for field in self.messages[key]["fields"]]

    def ref(self, key: str, request: bool) -> Json:
        """A reference to a message's or enum's schema."""
        if key in FREE:
            return dict(FREE[key])
        twice = request and key in self.messages and key in self.answered
        return {"$ref": f"#/components/schemas/{class_name(key)}{'Input' if twice else ''}"}

    def value(self, field: Json, request: bool) -> Json:
        """Schema of one value of a field or parameter, not yet a list and not yet nullable."""
        if field["type"] in ("message", "enum"):
            return self.ref(field["ref"], request)
        if field.get("wkt") == "Timestamp":
            return {"type": "string", "format": "date-time"}
        schema = dict(SCALARS[field["type"]])
        if request and field["type"] in ("int64", "uint64"):
            return {"type": ["string", "integer"], "pattern": schema["pattern"]}
        if field["type"] == "array_any":
            schema["items"] = {"type": field["element"]} if field.get("element") else {}
        return schema

    def field(self, field: Json, request: bool) -> Json:
        """Schema of a field: one value, a list or a map, nullable where an answer may carry null."""
        if field.get("map"):
            return {"type": "object", "additionalProperties": self.value(field["map"]["value"], request)}
        schema = self.value(field, request)
        if field.get("repeated"):
            return {"type": "array", "items": schema}
        if request or field.get("unset") != "null" or not schema:
            return schema
        if isinstance(schema.get("type"), str):
            return schema | {"type": [schema["type"], "null"]}
        return {"anyOf": [schema, {"type": "null"}]}

    def properties(self, key: str, fields: list[Json], request: bool, op: Json | None = None) -> Json:
        """The described properties of a message."""
        result: Json = {}
        for field in fields:
            schema = self.field(field, request)
            about = self.words.field(key, field["name"], op)
            if about:
                schema = {"description": about.strip()} | schema
            if field.get("deprecated"):
                schema["deprecated"] = True
            result[field["name"]] = schema
        return result

    def message(self, key: str, request: bool) -> Json:
        """Schema of a message: strict as an answer, lenient as a request."""
        fields = self.messages[key]["fields"]
        schema: Json = {"type": "object", "properties": self.properties(key, fields, request)}
        if about := self.words.about(key):
            schema["description"] = about.strip()
        if request:
            return schema
        required = [field["name"] for field in fields if field.get("unset") != "omit"]
        return schema | ({"required": required} if required else {}) | {"additionalProperties": False}

    def enum(self, key: str) -> Json:
        """Schema of an enum: its names."""
        schema: Json = {"type": "string", "enum": list(self.enums[key]["values"])}
        if about := self.words.about(key):
            schema["description"] = about.strip()
        return schema

    def request_body(self, op: Json) -> Json:
        """Schema of an operation's body; fields that the path fills are not part of it."""
        body = op["body"]
        if body.get("ref") not in self.messages:
            schema = dict(SCALARS[body["type"]])
            about = self.words.operations.get(op["id"], {}).get("body", {}).get(body["field"])
            return {"description": about.strip()} | schema if about else schema
        fields = request_fields(self.contract, op)
        schema = {"type": "object", "properties": self.properties(body["ref"], fields, True, op)}
        required = self.words.required(op, fields)
        return schema | {"required": required} if required else schema

    def components(self) -> Json:
        """All schemas by name, in the order of their names."""
        inner = {ref for op in self.contract["operations"] if op["body"] for ref in references(request_fields(self.contract, op))}
        inputs = reach(self.contract, sorted(inner))
        result: Json = {"Number": NUMBER}
        for key in self.answered:
            result[class_name(key)] = self.enum(key) if key in self.enums else self.message(key, False)
        for key in inputs:
            name = self.ref(key, True)["$ref"].rsplit("/", 1)[1]
            result[name] = self.enum(key) if key in self.enums else self.message(key, True)
        for op in self.contract["operations"]:
            for param in [*op["path_params"], *op["query_params"]]:
                if param["type"] == "enum":
                    result[class_name(param["ref"])] = self.enum(param["ref"])
        return dict(sorted(result.items()))
