"""How long logs of ended trials stay, and when the clean-up runs."""

import datetime as dt

from undeterred.base.clock import DAY, Micros
from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core import durations

FOREVER = -1
MAX_DAYS = 32_767
SHORTEST_PERIOD = 60_000_000
"""A clean-up runs at most once a minute."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_HORIZON_DAYS = 41 * 366
"""Within so many days every schedule comes up: a 29 February on one given weekday may need 40 years."""


def check_days(days: int) -> int:
    """Whole days that logs are kept: -1 (for ever) to 32,767. Raises Invalid."""
    if not FOREVER <= days <= MAX_DAYS:
        raise Invalid(f"log retention: {days} is not between -1 (for ever) and {MAX_DAYS} days")
    return days


def cutoff(now: Micros, days: int | None, default_days: int | None = None) -> Micros | None:
    """Logs of trials that ended before this may go; None: keep them.

    `days` is the trial's own setting, None meaning the cluster's `default_days`, where None means for ever.
    """
    kept = default_days if days is None else days
    return None if kept is None or kept == FOREVER else now - kept * DAY


def remaining_days(now: Micros, end: Micros | None, days: int | None, default_days: int | None = None) -> int | None:
    """Whole days until logs of a trial may go, `FOREVER` for never; None while it lives, and where no number is set."""
    kept = default_days if days is None else days
    if kept is None or kept == FOREVER:
        return kept
    return None if end is None else max((end + kept * DAY - now) // DAY, 0)


class Every(Struct, frozen=True):
    """A clean-up after each period of so many microseconds."""

    period: Micros

    def following(self, last: Micros) -> Micros:
        """When to run after a run at `last`."""
        return last + self.period


class Cron(Struct, frozen=True):
    """A clean-up at the minutes (UTC) that match: each part is the set of allowed values."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Day of month and day of week are both restricted: a day that fits one of them is enough."""

    def following(self, last: Micros) -> Micros:
        """The first matching minute after `last`."""
        moment = _EPOCH + (last // 60_000_000 + 1) * dt.timedelta(minutes=1)
        for _ in range(_HORIZON_DAYS):
            if self._fits(moment.date()):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        found = moment.replace(hour=hour, minute=minute)
                        if found >= moment:
                            return (found - _EPOCH) // _MICROSECOND
            moment = moment.replace(hour=0, minute=0) + dt.timedelta(days=1)
        raise AssertionError("parse_schedule lets no schedule through that never fits")

    def _fits(self, day: dt.date) -> bool:
        by_date, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and ((by_date or by_week) if self.either_day else (by_date and by_week))


Schedule = Every | Cron

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {name: number for number, name in enumerate(_DAY_NAMES)}
_LONGEST_MONTH = dict.fromkeys(range(1, 13), 31) | {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


def parse_schedule(text: str) -> Schedule:
    """A schedule: a duration ("24h"), five cron fields (minute hour day month weekday, in UTC) or a name such as @daily.

    Raises Invalid.
    """
    words = text.strip().lower()
    if words.startswith("@every "):
        words = words.removeprefix("@every ").strip()
    fields = _NAMED.get(words, words).split()
    if len(fields) == 5:
        return _cron(text, fields)
    try:
        period = durations.parse(words)
    except ValueError:
        raise Invalid(
            f"schedule {text[:64]!r}: must be a duration such as 24h, five cron fields such as '0 1 * * *', or one of "
            f"{', '.join(_NAMED)}"
        ) from None
    if period < SHORTEST_PERIOD:
        raise Invalid(f"schedule {text[:64]!r}: must be at least one minute")
    return Every(period)


def _cron(text: str, fields: list[str]) -> Cron:
    try:
        minutes, hours = _field(fields[0], 0, 59), _field(fields[1], 0, 23)
        days, months = _field(fields[2], 1, 31), _field(fields[3], 1, 12, _MONTHS)
        weekdays = frozenset(day % 7 for day in _field(fields[4], 0, 7, _WEEKDAYS))
    except ValueError as error:
        raise Invalid(f"schedule {text[:64]!r}: {error}") from None
    either = not fields[2].startswith(("*", "?")) and not fields[4].startswith(("*", "?"))
    if not either and all(min(days) > _LONGEST_MONTH[month] for month in months):
        raise Invalid(f"schedule {text[:64]!r}: there is no such day")
    return Cron(minutes, hours, days, months, weekdays, either)


def _field(text: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    """The values of one cron field: lists of `*`, `5`, `1-5`, `*/10`, `1-30/5` and names."""
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _value(step_text, {}) if slash else 1
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            start = _value(first, names or {})
            end = _value(last, names or {}) if dash else high if slash else start
        if not low <= start <= end <= high or step < 1:
            raise ValueError(f"{part!r} is not between {low} and {high}, or a range, list or step of those")
        values.update(range(start, end + 1, step))
    return frozenset(values)


def _value(text: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise ValueError(f"{text!r} is not a number" + (f" or one of {', '.join(names)}" if names else ""))
    return int(text)
