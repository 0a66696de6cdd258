"""Our own words about the contract: `descriptions/*.yaml`, read once and looked up by operation, message and field.

Files that begin with an underscore hold what all areas share; every other file is one area: its tag, a sentence about it
and its operations. What an operation must have is listed by `missing`, so a new operation without words is noticed.
"""

from pathlib import Path
from typing import Any

import yaml
from generate import class_name

Json = dict[str, Any]
NOTHING = object()
"""Answer of a look-up that found nothing; None is a real example value (JSON null)."""


class Words:
    """Everything under `descriptions/`."""

    def __init__(self, folder: Path) -> None:
        files = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}
        self.common: Json = files["_common"]
        self.fields: Json = files["_fields"]
        self.messages: Json = files["_messages"]
        self.enums: Json = files["_enums"]
        self.areas: dict[str, Json] = {body["area"]: body for stem, body in files.items() if not stem.startswith("_")}
        self.operations: dict[str, Json] = {}
        for body in self.areas.values():
            for op, entry in body["operations"].items():
                if op in self.operations:
                    raise SystemExit(f"descriptions: {op} is described twice")
                self.operations[op] = entry

    def parameter(self, op: Json, name: str) -> str | None:
        """The phrase about a parameter: the operation's own, its area's, that of its way of paging, or the common one."""
        entry, area = self.operations.get(op["id"], {}), self.areas.get(op["area"], {})
        paging = self.common["paging"].get(entry.get("paging"), {})
        tables = (entry.get("parameters", {}), area.get("parameters", {}), paging, self.common["parameters"])
        return next((table[name] for table in tables if name in table), None)

    def field(self, message: str, name: str, op: Json | None = None) -> str | None:
        """The phrase about a field: the operation's, the message's, or that of all fields of this name."""
        entry = self.operations.get(op["id"], {}) if op else {}
        paging = self.common["paging"].get(entry.get("paging"), {})
        for table in (entry.get("body", {}), paging):
            if name in table:
                return str(table[name])
        for source in (self.messages.get(class_name(message), {}).get("fields", {}), self.fields):
            if "about" in (source.get(name) or {}):
                return str(source[name]["about"])
        return None

    def sample(self, message: str, name: str) -> Any:
        """The example value of a field, or NOTHING where it is to be built from its type."""
        for source in (self.messages.get(class_name(message), {}).get("fields", {}), self.fields):
            entry = source.get(name) or {}
            if entry.get("built"):
                return NOTHING
            if "example" in entry:
                return entry["example"]
        return NOTHING

    def map_key(self, message: str, name: str) -> str:
        """The key of the one entry that an example of a map has."""
        entry = self.messages.get(class_name(message), {}).get("fields", {}).get(name) or self.fields.get(name) or {}
        return str(entry.get("key", "default"))

    def required(self, op: Json, fields: list[Json]) -> list[str]:
        """Fields that the body of an operation must have: the contract's, as corrected by `optional` and `needed`."""
        entry = self.operations.get(op["id"], {})
        optional, needed = entry.get("optional", []), entry.get("needed", [])
        return [f["name"] for f in fields if (f.get("required") and f["name"] not in optional) or f["name"] in needed]

    def about(self, key: str) -> str | None:
        """The sentence about a message or an enum."""
        name = class_name(key)
        about = (self.messages.get(name) or self.enums.get(name) or {}).get("about")
        return None if about is None else str(about)

    def enum_sample(self, key: str) -> str | None:
        """The example value of an enum, if one is written down."""
        sample = self.enums.get(class_name(key), {}).get("example")
        return None if sample is None else str(sample)

    def absent(self, message: str) -> list[str]:
        """Fields that an example of the message leaves out: one of several alternatives, or seldom there."""
        return list(self.messages.get(class_name(message), {}).get("absent", []))

    def missing(self, contract: Json, fields: list[tuple[str, str]]) -> list[str]:
        """Lines that say what has no words yet."""
        lines = []
        for op in contract["operations"]:
            entry = self.operations.get(op["id"], {})
            lines += [f"operation {op['id']}: no {part}" for part in ("summary", "description") if not entry.get(part)]
            for param in [*op["path_params"], *op["query_params"]]:
                if not self.parameter(op, param["name"]):
                    lines.append(f"operation {op['id']}: no words about the parameter {param['name']}")
        for area in dict.fromkeys(op["area"] for op in contract["operations"]):
            lines += [f"area {area}: no {part}" for part in ("tag", "about") if not self.areas.get(area, {}).get(part)]
        known = {op["id"] for op in contract["operations"]}
        lines += [f"operation {op}: described, but not in the contract" for op in self.operations if op not in known]
        lines += [f"message {class_name(m)}: no words about the field {f}" for m, f in fields if self.field(m, f) is None]
        return lines + self.idle(contract, fields)

    def idle(self, contract: Json, fields: list[tuple[str, str]]) -> list[str]:
        """Lines about words that describe nothing, after a name was changed or mistyped."""
        names = {class_name(key) for key in [*contract["messages"], *contract["enums"]]}
        known = {(class_name(message), field) for message, field in fields}
        lines = [f"{name}: described, but not in the contract" for name in [*self.messages, *self.enums] if name not in names]
        lines += [
            f"message {name}: the field {field} is described, but not there"
            for name, entry in self.messages.items()
            for field in [*entry.get("fields", {}), *entry.get("absent", [])]
            if name in names and (name, field) not in known
        ]
        return lines + [
            f"field {name}: described, but in no message" for name in self.fields if name not in {f for _, f in fields}
        ]
