"""Requests from path, query and body; the fast and the tolerant way agree; limits; answers."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.contract.walk import body_type
from tests.wire.shapes import FREE, TEXTS, snake, values
from undeterred.base.errors import Invalid
from undeterred.wire import codec, tolerant
from undeterred.wire import messages as m
from undeterred.wire.codec import MAX_BODY, MAX_CONTEXT_BODY, MAX_DEPTH, MAX_PARAMS, Codec, body_limit
from undeterred.wire.leaves import decode_leaf
from undeterred.wire.operation import Operation
from undeterred.wire.operations import OPERATIONS

BY_ID = {operation.id: operation for operation in OPERATIONS}
SLOW = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)


BODIES = {operation.id: body_type(operation) for operation in OPERATIONS if operation.body is not None}


def read(operation_id: str, body: bytes | str = b"", *, path: tuple[str, ...] = (), query: str = "") -> Any:
    """A decoded request; missing path values are "1"."""
    operation = BY_ID[operation_id]
    texts = path or ("1",) * len(operation.path_params)
    return Codec(operation).decode(texts, query.encode(), body.encode() if isinstance(body, str) else body)


def same(one: Any, other: Any) -> bool:
    """Equal in value and in types, as far as the wire shows them; NaN equals itself."""
    return msgspec.json.encode(one, enc_hook=codec.encode_leaf) == msgspec.json.encode(other, enc_hook=codec.encode_leaf)


# --- the two ways


def bodies() -> st.SearchStrategy[tuple[str, Any]]:
    """An operation with a body, and a right body for it."""
    return st.sampled_from(sorted(BODIES)).flatmap(lambda name: st.tuples(st.just(name), values(BODIES[name])))


@given(bodies())
@SLOW
def test_both_ways_read_a_right_body_the_same(case: tuple[str, Any]) -> None:
    """What the fast way accepts, the tolerant way reads to the same message."""
    name, value = case
    body = json.dumps(value).encode()
    try:
        fast = msgspec.json.Decoder(BODIES[name], dec_hook=decode_leaf).decode(body)
    except msgspec.ValidationError:  # null for a field that is never null: the tolerant way's business
        fast = tolerant.decode(body, BODIES[name])
    slow = tolerant.decode(body, BODIES[name])
    assert same(fast, slow)


@given(st.sampled_from(sorted(BODIES)), st.dictionaries(TEXTS, FREE, max_size=3) | FREE)
@SLOW
def test_both_ways_agree_on_any_body(name: str, value: Any) -> None:
    """Whatever JSON comes: where the fast way reads it, the tolerant way reads the same; nothing but Invalid is raised."""
    body = json.dumps(value).encode()
    try:
        fast = msgspec.json.Decoder(BODIES[name], dec_hook=decode_leaf).decode(body)
    except (msgspec.DecodeError, ValueError):
        try:
            tolerant.decode(body, BODIES[name])
        except Invalid:
            return
        return
    slow = tolerant.decode(body, BODIES[name])
    assert same(fast, slow) or value is None


@given(bodies())
@SLOW
def test_both_styles_of_names_are_the_same_request(case: tuple[str, Any]) -> None:
    """snake_case and lowerCamel, at every level."""
    name, value = case
    assume(value is not None)
    there, here = json.dumps(snake(BODIES[name], value)), json.dumps(value)
    assert same(read(name, there), read(name, here))


@given(st.sampled_from(sorted(BODIES)), st.binary(max_size=60))
@SLOW
def test_no_bytes_break_it(name: str, body: bytes) -> None:
    """A message or Invalid, nothing else."""
    try:
        assert isinstance(read(name, body), BY_ID[name].request)
    except Invalid:
        pass


def test_what_clients_send_takes_the_fast_way() -> None:
    """lowerCamel names and right types are read in one pass; every other spelling is counted."""
    reader = Codec(BY_ID["CreateGroup"])
    reader.decode((), b"", b'{"name": "a", "addUsers": [1, 2]}')
    assert reader.slow == 0
    reader.decode((), b"", b'{"name": "a", "add_users": ["1"]}')
    assert reader.slow == 1


def test_the_harness_s_reports_take_the_fast_way_with_their_nulls() -> None:
    """Training code sends explicit nulls; they are the defaults and cost nothing."""
    reader = Codec(BY_ID["ReportTrialMetrics"])
    report = {"trialRunId": 1, "stepsCompleted": 5, "reportTime": None, "metrics": {"avgMetrics": {"a": 1}, "batchMetrics": None}}
    body = {"group": "training", "metrics": report}
    request = reader.decode(("7",), b"", json.dumps(body).encode())
    assert reader.slow == 0
    metrics = request.metrics  # type: ignore[attr-defined]
    assert (metrics.trial_id, metrics.steps_completed, metrics.report_time) == (7, 5, msgspec.UNSET)
    assert metrics.metrics.batch_metrics == []


# --- bodies, one rule each

NAME = "PostWorkspace"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"name": "a"}', "a"),
        ('  \n {"name" : "a" }\n', "a"),
        ('{"name": "a", "bogus": {"deep": [1]}}', "a"),
        ('{"name": "a"} xyz', "a"),
        ('{"name": "a"}{"name": "b"}', "a"),
        ('{"name": "a", "name": "b"}', "b"),
        ('{"name": null}', ""),
        ('{"Name": "a"}', ""),
        ("{}", ""),
        ("", ""),
        ("  ", ""),
        ("null", ""),
        ('{"name": "a \\ud800"}', "a \ufffd"),
        ('{"name": "a \\u0000 b"}', "a \x00 b"),
        ('{"name": "\\ud83d\\ude00"}', "😀"),
    ],
)
def test_bodies_that_are_read(body: str, name: str) -> None:
    """Blanks, unknown keys, text behind, repeated keys, nulls, nothing at all, halves of characters."""
    assert read(NAME, body).name == name


@pytest.mark.parametrize(
    "body",
    [
        '{"name":',
        "{",
        '{"name": "a",}',
        "{'name': 'a'}",
        "[]",
        '"x"',
        "5",
        "true",
        "xyz",
        '{"name": {}}',
        '{"name": ["a"]}',
        '{"name": 5}',
        '{"agentUserGroup": []}',
        '{"agentUserGroup": {"agentUid": 3000000000}}',
        '{"agentUserGroup": {"agentUid": 1.5}}',
        '{"agentUserGroup": {"agentUid": 6.0}}',
        '{"agentUserGroup": {"agentUid": 1e3}}',
        '{"agentUserGroup": {"agentUid": true}}',
        '{"agentUserGroup": {"agentUid": ""}}',
        '{"checkpointStorageConfig": {"a": NaN}}',
        '{"checkpointStorageConfig": {"a": 1e400}}',
        b"\xff{}",
        b'{"name": "\xff"}',
    ],
)
def test_bodies_that_are_refused(body: bytes | str) -> None:
    """Broken JSON, other kinds of values, numbers out of range, bare NaN, bad UTF-8."""
    with pytest.raises(Invalid):
        read(NAME, body)


def test_a_refusal_names_the_place() -> None:
    """So that a person finds it."""
    with pytest.raises(Invalid, match=r"body\.agentUserGroup\.agentUid"):
        read(NAME, '{"agentUserGroup": {"agentUid": "x"}}')
    with pytest.raises(Invalid, match=r"body\.addUsers\[1\]"):
        read("CreateGroup", '{"addUsers": [1, {}]}')


def test_enums_are_read_by_name_and_number() -> None:
    """An unknown number stays one; unknown names and other spellings are refused."""
    activity = m.ActivityType.ACTIVITY_TYPE_GET
    for given_value in ('"ACTIVITY_TYPE_GET"', "1"):
        assert read("PostUserActivity", f'{{"activityType": {given_value}}}').activity_type is activity
    assert read("PostUserActivity", '{"activityType": 99}').activity_type == 99
    for bad in ('"NOPE"', '"activity_type_get"', '"1"', "1.0", "true", "{}", "99999999999"):
        with pytest.raises(Invalid):
            read("PostUserActivity", f'{{"activityType": {bad}}}')


def test_a_body_for_one_field_is_that_field_s_value() -> None:
    """A text, an inner message; missing is its empty value; the wrapped form is an empty patch."""
    assert read("SetUserPassword", '"pw"').password == "pw"
    assert read("SetUserPassword", "").password == ""
    assert read("PatchUser", '{"displayName": "x"}').user.display_name == "x"
    for empty in ("", "null", "{}", '{"user": {"displayName": "x"}}'):
        assert read("PatchUser", empty).user == m.PatchUser()


def test_the_path_wins_over_the_body() -> None:
    """Also where the body names the same field differently."""
    assert read("UpdateGroup", '{"groupId": 5, "name": "a"}', path=("7",)).group_id == 7
    assert read("UpdateGroup", '{"group_id": 5}', path=("7",)).group_id == 7


def test_an_operation_without_a_body_reads_none() -> None:
    """Not even a broken one."""
    assert read("GetUser", b"{bad", path=("3",)) == m.GetUserRequest(user_id=3)


def test_bodies_nest_to_a_limit() -> None:
    """Brackets in texts do not count; beyond the limit it is Invalid, whatever else is wrong."""
    inside = "[" * (MAX_DEPTH - 2) + "]" * (MAX_DEPTH - 2)
    assert read("PutTemplate", f'{{"config": {{"a": {inside}}}}}', path=("t",)).template.config["a"] != []
    for body in ("[" * (MAX_DEPTH + 1), '{"config": ' + '{"a":' * MAX_DEPTH, '"\\"' + '"' + "[" * (MAX_DEPTH + 1)):
        with pytest.raises(Invalid, match="nested"):
            read("PutTemplate", body, path=("t",))
    flat = json.dumps({"name": "[" * 500 + '\\"{' * 500})
    assert len(read(NAME, flat).name) == 500 + 3 * 500
    assert len(read("CreateGroup", json.dumps({"addUsers": [1] * 500, "x": [[]] * 500})).add_users) == 500


def test_only_uploads_of_context_may_be_large() -> None:
    """128 MB where files come with it, 10 MB everywhere else."""
    assert body_limit(BY_ID["CreateExperiment"]) == MAX_CONTEXT_BODY
    assert body_limit(BY_ID[NAME]) == MAX_BODY


# --- queries


def test_queries_are_read_in_both_styles() -> None:
    """Also dotted names; unknown parameters are ignored; a repeated scalar is its first."""
    camel = read("GetExperiments", query="experimentIdFilter.gte=3&experimentIdFilter.notIn=4&limit=1&limit=2&bogus=x&offset[]=5")
    other = read("GetExperiments", query="experiment_id_filter.gte=3&experiment_id_filter.not_in=4&limit=1")
    assert camel == other
    assert (camel.experiment_id_filter.gte, camel.experiment_id_filter.not_in, camel.limit, camel.offset) == (3, [4], 1, 0)


def test_lists_come_as_repeated_keys() -> None:
    """Names of users and labels may also be joined by commas; in other lists a comma is part of the value or a mistake."""
    assert read("GetExperiments", query="userIds=1&userIds=2").user_ids == [1, 2]
    assert read("GetWorkspaces", query="users=ann,bob&users=cy").users == ["ann", "bob", "cy"]
    assert read("CompareTrials", query="metricNames=loss,val").metric_names == ["loss,val"]
    for bad in ("userIds=1,2", "states=STATE_ACTIVE,STATE_PAUSED", "userIds="):
        with pytest.raises(Invalid):
            read("GetExperiments", query=bad)


def test_escapes_in_queries() -> None:
    """`+` is a blank, bytes that are no UTF-8 are replaced, raw UTF-8 is taken."""
    assert read("GetUsers", query="name=a+b%2Bc%20d").name == "a b+c d"
    assert read("GetUsers", query="name=%FF").name == "\ufffd"
    assert read("GetUsers", query="name=ü").name == "ü"


def test_a_query_of_endless_parameters_is_refused() -> None:
    """A clear Invalid instead of a long wait."""
    assert read("GetUsers", query="&".join(["x=1"] * MAX_PARAMS)).name == ""
    with pytest.raises(Invalid, match="parameters"):
        read("GetUsers", query="&".join(["x=1"] * (MAX_PARAMS + 1)))


@given(st.sampled_from([one for one in OPERATIONS if one.query_params]), st.text(max_size=30), st.data())
@SLOW
def test_no_query_breaks_it(operation: Operation, text: str, data: st.DataObject) -> None:
    """For any parameter of any operation and any text: a request or Invalid."""
    param = data.draw(st.sampled_from(operation.query_params))
    try:
        request = read(operation.id, query=f"{param.name}={text}")
    except Invalid:
        return
    assert isinstance(request, operation.request)


# --- answers


def test_an_item_of_a_stream_is_one_line() -> None:
    """`{"result": ...}` and a newline, whatever the texts hold."""
    line = codec.encode_item(m.GetUserResponse(user=m.User(username="a\nb")))
    assert line.count(b"\n") == 1
    assert json.loads(line)["result"]["user"]["username"] == "a\nb"


def test_pretty_is_the_same_json() -> None:
    """Only blanks differ."""
    plain = codec.encode(m.GetUserResponse(user=m.User(username="a")))
    assert b"\n" in codec.pretty(plain)
    assert json.loads(codec.pretty(plain)) == json.loads(plain)
