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
    "SELECT e.seq, e.kind, e.at_us, s.kind, s.key, t.kind, t.key FROM edges e JOIN nodes s ON s.number = e.source "
    "JOIN nodes t ON t.number = e.target WHERE e.seq BETWEEN :first AND :last"
)
STANDING = (
    "SELECT e.source, e.kind, e.target, e.at_us, s.kind, s.key, t.kind, t.key FROM edges e "
    "JOIN nodes s ON s.number = e.source JOIN nodes t ON t.number = e.target "
    "WHERE e.seq = 0 AND (e.source, e.kind, e.target) > (:source, :kind, :target) "
    "ORDER BY e.source, e.kind, e.target LIMIT :limit"
)
"""The edges of no record, in the order of their index."""
JOINED = (
    "SELECT 1 FROM nodes s JOIN edges e ON e.source = s.number JOIN nodes t ON t.number = e.target "
    "WHERE s.kind = :near AND s.key = :source AND e.kind = :kind AND t.kind = :far AND t.key = :target LIMIT 1"
)
NODES = "SELECT number, kind, key FROM nodes WHERE number > :after ORDER BY number LIMIT :limit"
LOOSE = (
    "NOT EXISTS (SELECT 1 FROM edges e WHERE e.source = n.number) "
    "AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.target = n.number)"
)
"""Of a node `n`: no edge touches it."""
ELSEWHERE = (
    "(EXISTS (SELECT 1 FROM edges e WHERE e.source = n.number AND e.seq >= :least "
    "AND e.seq NOT BETWEEN :first AND :last) "
    "OR EXISTS (SELECT 1 FROM edges e WHERE e.target = n.number AND e.seq >= :least "
    "AND e.seq NOT BETWEEN :first AND :last))"
)
"""Of a node `n`: an edge of another record touches it. :least is 1, or 0 where one that stands will do."""
NUMBER_OF = "SELECT number FROM nodes WHERE kind = ? AND key = ?"


def named(kind: object) -> str:
    """The kind of edge that is stored as this number; a number that stands for none, as it is."""
    return EDGES[kind] if isinstance(kind, int) and 0 <= kind < len(EDGES) else str(kind)


def properties(count: int) -> str:
    """(key, properties) of `count` nodes of the kind :kind given as :k0, :k1, ..."""
    wanted = ", ".join(f":k{number}" for number in range(count))
    return f"SELECT key, props FROM nodes WHERE kind = :kind AND key IN ({wanted})"


def those(count: int, condition: str) -> str:
    """(kind, key) of those of `count` nodes given as :k0, :v0, :k1, ... that meet `condition`, which is on `n`."""
    wanted = ", ".join(f"(:k{number}, :v{number})" for number in range(count))
    return (
        f"SELECT n.kind, n.key FROM (VALUES {wanted}) w "
        f"JOIN nodes n ON n.kind = w.column1 AND n.key = w.column2 WHERE {condition}"
    )


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
