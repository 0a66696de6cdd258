"""Logs are kept for whole days, and the clean-up comes when its schedule says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.clock import DAY, SECOND, from_text, to_text
from undeterred.base.errors import Invalid
from undeterred.core.retention.logs import Cron, Every, check_days, cutoff, parse_schedule

NOW = from_text("2026-03-10T12:34:56.5Z")


@pytest.mark.parametrize(
    ("days", "default", "expected"),
    [
        (7, None, NOW - 7 * DAY),
        (0, 30, NOW),
        (None, 30, NOW - 30 * DAY),
        (None, None, None),
        (-1, 30, None),
        (None, -1, None),
    ],
)
def test_cutoff(days, default, expected):
    """A trial's own setting wins over the cluster's; -1 and nothing at all mean for ever."""
    assert cutoff(NOW, days, default) == expected


def test_days():
    """-1 to 32,767."""
    assert [check_days(days) for days in (-1, 0, 32_767)] == [-1, 0, 32_767]
    for days in (-2, 32_768):
        with pytest.raises(Invalid, match="32767"):
            check_days(days)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0 1 * * *", "2026-03-10T12:34:56Z", "2026-03-11T01:00:00Z"),
        ("@daily", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        ("@hourly", "2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z"),
        ("*/15 * * * *", "2026-03-10T12:45:00Z", "2026-03-10T13:00:00Z"),
        ("*/15 * * * *", "2026-03-10T12:44:59.9Z", "2026-03-10T12:45:00Z"),
        ("5,10 8-10/2 * * *", "2026-03-10T08:10:00Z", "2026-03-10T10:05:00Z"),
        ("0 0 31 * *", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"),
        ("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("0 0 * * sun", "2026-03-10T00:00:00Z", "2026-03-15T00:00:00Z"),
        ("0 0 * * 7", "2026-03-10T00:00:00Z", "2026-03-15T00:00:00Z"),
        ("0 0 * JAN-FEB mon-fri", "2026-03-10T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("0 0 13 * fri", "2026-03-10T00:00:00Z", "2026-03-13T00:00:00Z"),
        ("0 0 1 * fri", "2026-03-14T00:00:00Z", "2026-03-20T00:00:00Z"),
        ("0 0 1 * ?", "2026-03-14T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("24h", "2026-03-10T12:34:56Z", "2026-03-11T12:34:56Z"),
        ("@every 90m", "2026-03-10T12:00:00Z", "2026-03-10T13:30:00Z"),
    ],
)
def test_schedules(schedule, after, expected):
    """Each row: a schedule, the last run, the next one (UTC)."""
    assert to_text(parse_schedule(schedule).following(from_text(after))) == expected


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("", "five cron fields"),
        ("5d", "duration such as 24h"),
        ("10s", "at least one minute"),
        ("-24h", "at least one minute"),
        ("* * * *", "five cron fields"),
        ("60 * * * *", "between 0 and 59"),
        ("* 24 * * *", "between 0 and 23"),
        ("* * 0 * *", "between 1 and 31"),
        ("* * * 13 *", "between 1 and 12"),
        ("* * * * 8", "between 0 and 7"),
        ("*/0 * * * *", "between 0 and 59"),
        ("5-1 * * * *", "between 0 and 59"),
        ("x * * * *", "not a number"),
        ("* * * foo *", "jan"),
        ("0 0 30 2 *", "no such day"),
        ("0 0 31 4,6 *", "no such day"),
        ("@fortnightly", "@daily"),
    ],
)
def test_bad_schedules(schedule, message):
    """The message says what a schedule may be."""
    with pytest.raises(Invalid, match=message):
        parse_schedule(schedule)


minutes = st.integers(0, 59).map(str) | st.sampled_from(["*", "*/7", "3-50/11"])
hours = st.integers(0, 23).map(str) | st.sampled_from(["*", "*/5"])
days = st.integers(1, 28).map(str) | st.sampled_from(["*", "29", "*/10"])
months = st.integers(1, 12).map(str) | st.sampled_from(["*", "2"])
weekdays = st.integers(0, 7).map(str) | st.sampled_from(["*", "*/3"])


@given(minutes, hours, days, months, weekdays, st.integers(0, 4_000_000_000).map(lambda second: second * SECOND))
def test_a_cron_run_is_later_on_a_whole_minute_and_fits(minute, hour, day, month, weekday, last):
    """The next run lies after the last one, and nothing that fits lies in the hour before it unless before the last run."""
    schedule = parse_schedule(f"{minute} {hour} {day} {month} {weekday}")
    assert isinstance(schedule, Cron)
    found = schedule.following(last)
    assert found > last
    assert found % (60 * SECOND) == 0
    earlier = max(last, found - 3_600 * SECOND)
    assert schedule.following(earlier) == found
    assert schedule.following(found - 1) == found


def test_a_duration_is_a_period():
    """It counts from the last run."""
    assert parse_schedule("1h30m") == Every(5_400 * SECOND)
