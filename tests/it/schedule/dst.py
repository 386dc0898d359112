"""Tells when schedules run around every change of the clocks in 2027, from Python's zoneinfo alone.

`python3 tests/it/schedule/dst.py > tests/it/schedule/dst.json` writes the table again. `fires` are the runs
after `from`, up to and with `until`.

The rule, for an expression that names one time of day (one second, one minute, one hour):
- a time that the clocks skip runs once that day, at the moment the clocks change. It is not shifted by the
  length of the gap: 02:30 runs at 03:00 when 02:00 becomes 03:00, not at 03:30;
- a time that comes twice runs once, the first time.

The rule for an interval (`*` or a step in the time of day): a run at every moment at which the wall clock
shows a time of the expression. Times that the clocks skip are lost, times that come twice run twice, so that
a run every half hour stays one every half hour of absolute time.

An expression that lists times of day (`30 2,14 * * *`) is one expression for each of them. A range counts as an interval.
"""

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
# Before, in and after each gap and each doubled time: those of Berlin are both 02:00 to 03:00; of New York
# 02:00 to 03:00 and 01:00 to 02:00; of Lord Howe 02:00 to 02:30 and 01:30 to 02:00.
EXPRESSIONS = [
    "15 1 * * *",
    "30 1 * * *",
    "0 2 * * *",
    "15 2 * * *",
    "30 2 * * *",
    "0 3 * * *",
    "20 45 1 * * *",
    "59 59 2 * * *",
    "30 2,14 * * *",
    "0,30 1,2 * * *",
    "*/30 * * * *",
]
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def changes(zone):
    """The moments of 2027 at which the offset changes; all are at a full or a half hour."""
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    while moment.year == 2027:
        before = (moment - MINUTE).astimezone(zone).utcoffset()
        if moment.astimezone(zone).utcoffset() != before:
            yield moment
        moment += 30 * MINUTE


def values(field, size):
    """The values of one field: all, every so many, or those that are listed."""
    if "*" not in field:
        return [int(value) for value in field.split(",")]
    return range(0, size, int(field.removeprefix("*").removeprefix("/") or 1))


def wall_times(cron, day):
    """The times of the expression on the wall clock of a day, whether or not the clock will show them."""
    fields = cron.split()
    second, minute, hour, *rest = fields if len(fields) == 6 else ["0", *fields]
    assert rest == ["*"] * 3, "every day is all that this script knows"
    for h, m, s in product(values(hour, 24), values(minute, 60), values(second, 60)):
        yield day.replace(hour=h, minute=m, second=s)


def is_skipped(wall):
    """A time that no clock shows comes back from UTC as another."""
    back = wall.astimezone(UTC).astimezone(wall.tzinfo)
    return back.replace(tzinfo=None) != wall.replace(tzinfo=None)


def end_of_gap(wall):
    """The moment at which the clocks skip `wall`. Read by the new offset, `wall` is a moment before it."""
    new = wall.replace(fold=1)
    moment = new.astimezone(UTC).replace(second=0)
    while moment.astimezone(wall.tzinfo).utcoffset() != new.utcoffset():
        moment += MINUTE
    return moment


def runs_of(wall, is_interval):
    """The moments, none to two, at which a wall time is due."""
    if is_skipped(wall):
        return set() if is_interval else {end_of_gap(wall)}
    passes = [0, 1] if is_interval else [0]
    return {wall.replace(fold=which).astimezone(UTC) for which in passes}


def fires(cron, zone, start, until):
    """The runs within the window, in order; the days of the zone reach over both its ends."""
    is_interval = any("*" in field for field in cron.split()[:-3])
    first = start.astimezone(zone).replace(hour=0, minute=0, second=0) - DAY
    days = [first + number * DAY for number in range((until - start).days + 3)]
    moments = set()
    for wall in (wall for day in days for wall in wall_times(cron, day)):
        moments |= runs_of(wall, is_interval)
    return sorted(moment for moment in moments if start < moment <= until)


def shown(moment):
    """As RFC 3339 tells it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def cases():
    """Each expression in the three days around each change in each zone."""
    for name in ZONES:
        zone = ZoneInfo(name)
        for change, cron in product(changes(zone), EXPRESSIONS):
            start = change.replace(hour=0, minute=0) - DAY
            until = start + 3 * DAY
            runs = [shown(moment) for moment in fires(cron, zone, start, until)]
            yield {"zone": name, "cron": cron, "from": shown(start), "until": shown(until), "fires": runs}


def main():
    """One case a line, so that a difference shows which."""
    print("[\n" + ",\n".join(json.dumps(case) for case in cases()) + "\n]")


if __name__ == "__main__":
    main()
