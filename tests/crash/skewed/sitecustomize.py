"""A wall clock that is wrong by SKEW_SECONDS, for the process that has this folder on its PYTHONPATH."""

import datetime
import os
import time

_SKEW = float(os.environ.get("SKEW_SECONDS", "0"))
_true_time, _true_datetime = time.time, datetime.datetime


class _Kind(type(_true_datetime)):  # type: ignore[misc]
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _true_datetime)


class _Skewed(_true_datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return _true_datetime.now(tz) + datetime.timedelta(seconds=_SKEW)


if _SKEW:
    time.time = lambda: _true_time() + _SKEW
    datetime.datetime = _Skewed  # type: ignore[misc]
