"""Prints what two packages call a holiday: `YYYY-MM-DD holidays|- jpholiday|- bank|-` for each day of 1950 to 2050 that one does.

`holidays` has the banks' New Year as a category of its own.
"""

import datetime

import holidays
import jpholiday

YEARS = range(1950, 2051)
public = holidays.country_holidays("JP", years=YEARS)
bank = holidays.country_holidays("JP", years=YEARS, categories=("bank",))

day = datetime.date(YEARS.start, 1, 1)
while day.year < YEARS.stop:
    marks = [
        name if found else "-"
        for name, found in (
            ("holidays", day in public),
            ("jpholiday", jpholiday.is_holiday(day)),
            ("bank", day in bank),
        )
    ]
    if marks != ["-", "-", "-"]:
        print(day, *marks)
    day += datetime.timedelta(days=1)
