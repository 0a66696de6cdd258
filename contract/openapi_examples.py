"""Example answers and requests, built from the contract's types and from sample values by field name.

The samples tell one story (a search over a small digits classifier), so that ids and names agree between operations.
"""

import copy
from typing import Any

from openapi_schemas import FREE, request_fields
from openapi_words import NOTHING, Words

Json = dict[str, Any]

PLAIN: dict[str, Any] = {
    "string": "text",
    "int32": 1,
    "uint32": 1,
    "int64": "1048576",
    "uint64": "1048576",
    "bool": False,
    "double": 0.5,
    "float": 0.5,
    "bytes": "cHJpbnQoImhlbGxvIikK",
    "object": {},
    "array_any": [],
    "any": "text",
}
TIME = "2026-03-02T09:15:04.125Z"


class Examples:
    """Builds example values."""

    def __init__(self, contract: Json, words: Words) -> None:
        self.contract = contract
        self.messages: Json = contract["messages"]
        self.words = words

    def answer(self, op: Json) -> Any:
        """An example answer of an operation; of a stream, one line."""
        value = self.message(op["response"], ())
        value = merge(value, self.words.operations.get(op["id"], {}).get("answer", {}))
        return {"result": value} if op["streaming"] else value

    def request(self, op: Json) -> Any:
        """An example body: the one written down for the operation, or its required fields, or all if none is required."""
        entry = self.words.operations.get(op["id"], {})
        if "request" in entry:
            return copy.deepcopy(entry["request"])
        if op["body"].get("ref") not in self.messages:
            return PLAIN[op["body"]["type"]]
        fields = request_fields(self.contract, op)
        required = self.words.required(op, fields)
        chosen = [field for field in fields if field["name"] in required] or fields
        return {field["name"]: self.field(op["body"]["ref"], field, ()) for field in chosen}

    def message(self, key: str, above: tuple[str, ...]) -> Any:
        """An example of a message. A message inside itself ends the descent."""
        if key in FREE:
            return {}
        absent = self.words.absent(key)
        fields = [field for field in self.messages[key]["fields"] if field["name"] not in absent]
        return {field["name"]: self.field(key, field, (*above, key)) for field in fields}

    def field(self, owner: str, field: Json, above: tuple[str, ...]) -> Any:
        """An example of a field: the sample of its name, else what its type says."""
        sample = self.words.sample(owner, field["name"])
        if sample is not NOTHING:
            return copy.deepcopy(sample)
        if field.get("map"):
            return {self.words.map_key(owner, field["name"]): self.value(field["map"]["value"], above)}
        if field["type"] == "message" and field["ref"] in above:
            return [] if field.get("repeated") else None
        value = self.value(field, above)
        return [value] if field.get("repeated") else value

    def value(self, field: Json, above: tuple[str, ...]) -> Any:
        """One value by type."""
        if field.get("wkt") == "Timestamp":
            return TIME
        if field["type"] == "message":
            return self.message(field["ref"], above)
        if field["type"] == "enum":
            return self.enum(field["ref"])
        return copy.deepcopy(PLAIN[field["type"]])

    def enum(self, key: str) -> str:
        """The sample of an enum, else its first value that means something."""
        from_words = self.words.enum_sample(key)
        values = self.contract["enums"][key]["values"]
        return from_words or values[min(1, len(values) - 1)]


def merge(base: Any, over: Any) -> Any:
    """`over` laid upon `base`: objects key by key, anything else replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: merge(base.get(key), value) for key, value in over.items()}
    return copy.deepcopy(over)
