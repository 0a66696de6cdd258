"""Generated messages against the contract: names, types, and what an unset field is on the wire."""

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.shapes import CONTRACT, classes, enums, objects
from undeterred.wire import codec
from undeterred.wire.leaves import decode_leaf
from undeterred.wire.tolerant import by_number

CLASSES = classes()
ENUMS = enums()
FIELDS: dict[str, list[dict[str, Any]]] = {name: message["fields"] for name, message in CONTRACT["messages"].items()}
PROTO = [name for name, fields in FIELDS.items() if all("proto_name" in field for field in fields)]
"""Messages of protobuf; the others (error bodies, the health check) have one style of names and no unset fields."""


def unset(field: dict[str, Any]) -> Any:
    """What the contract says of an unset field; "omit" is given as it is."""
    told = field["unset"]
    if told == "omit":
        return told
    return CONTRACT["enums"][field["ref"]]["values"][0] if told == "first" else json.loads(told)


def test_every_message_and_enum_of_the_contract_is_there() -> None:
    """Each under its own name."""
    assert CONTRACT["messages"].keys() <= CLASSES.keys()
    assert CONTRACT["enums"].keys() <= ENUMS.keys()


def test_unset_fields_are_written_as_the_contract_says() -> None:
    """Zeros, empty texts and lists, null, or no key at all: for every field of every message."""
    assert len(PROTO) > 650
    for name in PROTO:
        expected = {field["name"]: unset(field) for field in FIELDS[name] if unset(field) != "omit"}
        assert json.loads(codec.encode(CLASSES[name]())) == expected, name


def test_fields_have_both_names_of_the_contract() -> None:
    """lowerCamel on the wire, snake_case in the code."""
    for name in PROTO:
        known = {(field.encode_name, field.name) for field in msgspec.structs.fields(CLASSES[name])}
        assert known == {(field["name"], field["proto_name"]) for field in FIELDS[name]}, name


def test_other_messages_keep_the_contract_s_names() -> None:
    """They are few, and written as they stand."""
    others = FIELDS.keys() - set(PROTO)
    assert len(others) == 5
    for name in others:
        assert [field.encode_name for field in msgspec.structs.fields(CLASSES[name])] == [f["name"] for f in FIELDS[name]]


def test_enums_have_the_contract_s_values_and_numbers() -> None:
    """In the contract's order, so that the first is the zero value."""
    for name, told in CONTRACT["enums"].items():
        assert [str(member) for member in ENUMS[name]] == told["values"], name
        for value, number in told.get("numbers", {}).items():
            assert by_number(ENUMS[name], number) == value, name


@given(st.sampled_from(sorted(CLASSES)).flatmap(lambda name: st.tuples(st.just(name), objects(CLASSES[name]))))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
def test_what_is_written_is_read_back(case: tuple[str, dict[str, Any]]) -> None:
    """Encoding and decoding are inverse for any message, so neither loses a field, a type or a digit."""
    name, value = case
    decoder = msgspec.json.Decoder(CLASSES[name], dec_hook=decode_leaf)
    written = codec.encode(decoder.decode(json.dumps(value).encode()))
    assert codec.encode(decoder.decode(written)) == written
