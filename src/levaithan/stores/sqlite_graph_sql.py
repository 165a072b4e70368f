"""The graph's questions in SQL, for the tables of sqlite_graph. Imports the role only."""
# Every part of these texts is this module's own; what is asked for goes in as parameters.
# ruff: noqa: S608

from __future__ import annotations

from levaithan.stores.roles.graph import DENIED, EDGES, LEASED, READ, SPREADS, WROTE

NUMBER = {kind: number for number, kind in enumerate(EDGES)}
_SPREAD = ", ".join(str(NUMBER[kind]) for kind in SPREADS)
_TOUCHES = ", ".join(str(NUMBER[kind]) for kind in (READ, WROTE, DENIED, LEASED))
TOUCHED = (
    "SELECT a.key, f.key, e.kind, min(e.at_us), max(e.at_us), count(*) FROM nodes f "
    "JOIN edges e ON e.target = f.number JOIN nodes a ON a.number = e.source "
    f"WHERE f.kind = 'File' AND f.key = :file AND a.kind = 'Agent' AND e.kind IN ({_TOUCHES}) "
    "GROUP BY a.number, e.kind ORDER BY max(e.at_us) DESC, a.key, e.kind LIMIT :limit"
)
REFUSED = (
    "SELECT a.key, f.key, d.kind, min(e.at_us), max(e.at_us), count(*) FROM nodes f "
    "JOIN edges e ON e.target = f.number JOIN nodes d ON d.number = e.source "
    "JOIN edges w ON w.target = d.number JOIN nodes a ON a.number = w.source "
    f"WHERE f.kind = 'File' AND {{where}} AND d.kind = 'Decision' AND e.kind = {NUMBER[DENIED]} "
    "GROUP BY a.number, f.number ORDER BY max(e.at_us) DESC, a.key LIMIT :limit"
)
CHANGED = (
    "SELECT a.key, f.key, e.kind, min(e.at_us), max(e.at_us), count(*) FROM nodes a "
    "JOIN edges e ON e.source = a.number JOIN nodes f ON f.number = e.target "
    "WHERE a.kind = 'Agent' AND a.key >= :low AND a.key < :high AND f.kind = 'File' "
    f"AND e.kind IN ({_TOUCHES}) GROUP BY a.number, f.number, e.kind ORDER BY max(e.at_us) DESC, f.key LIMIT :limit"
)
SIMILAR = (
    "WITH mine AS (SELECT DISTINCT e.target AS file FROM nodes a JOIN edges e ON e.source = a.number "
    "JOIN nodes f ON f.number = e.target WHERE a.kind = 'Agent' AND a.key >= :low AND a.key < :high "
    f"AND f.kind = 'File' AND e.kind IN ({_TOUCHES})), "
    "other AS MATERIALIZED (SELECT DISTINCT substr(a.key, 1, instr(a.key, '/') - 1) AS session, e.target AS file "
    f"FROM mine JOIN edges e ON e.target = mine.file AND e.kind IN ({_TOUCHES}) "
    "JOIN nodes a ON a.number = e.source AND a.kind = 'Agent') "
    "SELECT session, count(*) AS shared, (SELECT count(*) FROM mine) FROM other WHERE session != :session "
    "GROUP BY session ORDER BY shared DESC, session LIMIT :most"
)
SIZE = (
    "SELECT count(DISTINCT e.target) FROM nodes a JOIN edges e ON e.source = a.number "
    "JOIN nodes f ON f.number = e.target "
    f"WHERE a.kind = 'Agent' AND a.key >= :low AND a.key < :high AND f.kind = 'File' AND e.kind IN ({_TOUCHES})"
)

EDGES_OF = (
    "SELECT e.seq, e.kind, s.kind, s.key, t.kind, t.key FROM edges e JOIN nodes s ON s.number = e.source "
    "JOIN nodes t ON t.number = e.target WHERE e.seq BETWEEN :first AND :last"
)
NUMBER_OF = "SELECT number FROM nodes WHERE kind = ? AND key = ?"


def machines(count: int) -> str:
    """(session, its machine) of `count` sessions given as :k0, :k1, ..."""
    wanted = ", ".join(f":k{number}" for number in range(count))
    return f"SELECT key, json_extract(props, '$.machine') FROM nodes WHERE kind = 'Session' AND key IN ({wanted})"


def neighbours(count: int, *, forward: bool) -> str:
    """The steps away from `count` nodes given as :k0, :v0, :k1, ...; `forward`: along the edges, else against them."""
    wanted = ", ".join(f"(:k{number}, :v{number})" for number in range(count))
    near, far = ("source", "target") if forward else ("target", "source")
    return (
        f"SELECT DISTINCT n.kind, n.key, e.kind, o.kind, o.key FROM (VALUES {wanted}) w "
        f"JOIN nodes n ON n.kind = w.column1 AND n.key = w.column2 JOIN edges e ON e.{near} = n.number "
        f"JOIN nodes o ON o.number = e.{far} WHERE e.kind IN ({_SPREAD}) ORDER BY o.kind, o.key"
    )
