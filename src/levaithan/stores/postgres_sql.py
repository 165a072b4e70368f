"""Questions as `queries` write them (`:name` parameters, the SQL that SQLite knows too) in psycopg's spelling."""

from __future__ import annotations

import re
from functools import lru_cache

_PARTS = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|(?<![:\w]):([A-Za-z_]\w*)|(%)")


@lru_cache(maxsize=512)
def spelled(sql: str) -> str:
    """`sql` with `%(name)s` for `:name` and `%%` for `%`; what stands in quotes keeps its colons."""

    def one(found: re.Match[str]) -> str:
        quoted, name, _ = found.groups()
        if quoted is not None:
            return quoted.replace("%", "%%")
        return f"%({name})s" if name else "%%"

    return _PARTS.sub(one, sql)
