"""deploy/grafana: the dashboards are what the code makes, hold together, and each query of each panel is run by the
real Prometheus and the real PostgreSQL on made-up figures and finds something. Grafana itself is not run here."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.servers.endpoint import ServerMissingError
from tests.servers.fixtures import without
from tests.servers.prometheus import Prometheus
from tests.support import promql, seeded_ledger, seeded_metrics

from levaithan.metrics.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "deploy" / "grafana"
NAMES = ("executive", "operational", "technical", "business")
BOARDS: dict[str, Any] = {
    name: json.loads((FOLDER / "dashboards" / f"{name}.json").read_text("utf-8")) for name in NAMES
}
PANELS = [(name, one) for name in NAMES for one in BOARDS[name]["panels"] if one["type"] != "row"]
QUERIES = [(name, one, target) for name, one in PANELS for target in one["targets"]]
IN_PROMQL = [query for query in QUERIES if "expr" in query[2]]
IN_SQL = [query for query in QUERIES if "rawSql" in query[2]]
NOT_OURS = {"up", "ALERTS"}
NOW_S = float(int(time.time()) // 60 * 60)
MACROS = {
    "$__rate_interval": "4m", "$project": ".*", "$bench": "1500",
    "$__unixEpochFrom()": str(int(NOW_S - 30 * 86400)), "$__unixEpochTo()": str(int(NOW_S + 86400)),
}  # fmt: skip
"""What Grafana would put in, with everything chosen."""


def title(value: object) -> str | None:
    """How a parameter is called."""
    if isinstance(value, dict):
        return str(value.get("title") or value.get("refId"))
    return str(value) if isinstance(value, str) else None


def filled_in(text: str) -> str:
    """A query as Grafana would send it. Nothing that Grafana has to know may be left."""
    for macro, value in MACROS.items():
        text = text.replace(macro, value)
    assert "$" not in text, text
    return text


def test_the_committed_dashboards_are_what_the_code_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-E", "-s", FOLDER / "make.py", tmp_path], check=True, timeout=60)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in (FOLDER / "dashboards").iterdir()}
    assert sorted(made) == sorted(kept) == sorted(f"{name}.json" for name in NAMES)
    assert made == kept, "run: python deploy/grafana/make.py"


def test_there_are_the_four_roles_and_the_sixteen_questions() -> None:
    assert {board["uid"] for board in BOARDS.values()} == {f"lv-{name}" for name in NAMES}
    for board in BOARDS.values():
        assert board["schemaVersion"] >= 39
        heads = [one["title"] for one in board["panels"] if one["type"] == "row"]
        assert len(heads) == 4
        assert all(head.endswith("?") for head in heads)
        assert len(json.dumps(board)) < 100_000


def lost(given: Any, kept: Any, place: str = "") -> set[str]:
    """Where `kept` has not got what `given` has."""
    if isinstance(given, dict) and isinstance(kept, dict):
        found = {f"{place}.{key}" for key, value in given.items() if key not in kept and value not in (None, False)}
        return found.union(*(lost(given[key], kept[key], f"{place}.{key}") for key in given.keys() & kept.keys()))
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return set().union(*(lost(one, other, f"{place}[]") for one, other in zip(given, kept, strict=True)))
    return set() if given == kept else {f"{place}: {given!r} became {kept!r}"}


@pytest.mark.parametrize("name", NAMES)
def test_grafana_s_own_types_take_a_dashboard_whole(name: str) -> None:
    """What they do not know they drop: a misspelt option, or one of another kind of panel. The two that are excepted
    are the Prometheus data source's own, and what Grafana writes beside a variable."""
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    plugins.register_default_plugins()
    kept = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(BOARDS[name])))
    known = {f".annotations.list[].{one}" for one in ("step", "textFormat", "titleFormat")} | {
        ".templating.list[].definition"
    }
    assert lost(BOARDS[name], kept) - known == set()
    spoilt = json.loads(json.dumps(BOARDS[name]))
    spoilt["panels"][1]["options"]["colourMode"] = "none"
    kept = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(spoilt)))
    assert lost(spoilt, kept) - known == {".panels[].options.colourMode"}


@pytest.mark.parametrize("name", NAMES)
def test_numbers_and_places_are_each_panel_s_own(name: str) -> None:
    panels = BOARDS[name]["panels"]
    assert [one["id"] for one in panels] == list(range(1, len(panels) + 1))
    taken: dict[tuple[int, int], str] = {}
    for one in panels:
        at = one["gridPos"]
        assert min(at["x"], at["w"] - 1, at["h"] - 1) >= 0 and at["x"] + at["w"] <= 24, one["title"]
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, f"{one['title']} lies on {taken.get(cell)}"
            taken[cell] = one["title"]
    titles = [one["title"] for one in panels]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=title)
def test_a_panel_says_what_it_shows_in_which_unit_and_from_when_on_it_is_bad(board: str, panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 10
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    steps = defaults["thresholds"]["steps"]
    assert steps[0]["value"] is None
    assert all(low["value"] < high["value"] for low, high in pairwise(steps[1:])), steps
    letters = [target["refId"] for target in panel["targets"]]
    assert letters == sorted(set(letters))
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {panel["datasource"]["uid"]}
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] == "byName"
        assert override["properties"]


def test_data_sources_are_those_that_are_provisioned_and_the_ledger_s_user_only_reads() -> None:
    told = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "levaithan.yml").read_text("utf-8"))["datasources"]
    known = {(one["uid"], one["type"]) for one in told}
    used = {(target["datasource"]["uid"], target["datasource"]["type"]) for _, _, target in QUERIES}
    assert used == known
    assert next(one["user"] for one in told if one["uid"] == "ledger") == "levaithan_reader"
    assert all(re.fullmatch(r"(http://)?127\.0\.0\.1:\d+", one["url"]) for one in told)
    compose = yaml.safe_load((TOP / "docker-compose.yml").read_text("utf-8"))["services"]["grafana"]
    given = {name for one in told for name in re.findall(r"\$(\w+)", json.dumps(one))}
    assert given == {"LEVAITHAN_LEDGER_READER_PASSWORD"}
    assert given < set(compose["environment"])


def test_the_provider_reads_the_folder_that_compose_gives_and_the_first_page_is_in_it() -> None:
    file = FOLDER / "provisioning" / "dashboards" / "levaithan.yml"
    (provider,) = yaml.safe_load(file.read_text("utf-8"))["providers"]
    compose = yaml.safe_load((TOP / "docker-compose.yml").read_text("utf-8"))["services"]["grafana"]
    inside = {volume.split(":")[1]: volume.split(":")[0] for volume in compose["volumes"]}
    assert inside[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    first = Path(compose["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (TOP / inside[str(first.parent)] / first.name).is_file()
    links = {link["url"] for _, one in PANELS for link in one["links"]}
    public = "/usr/share/grafana/public"
    for place in {link.partition("#")[0] for link in links}:
        folder = next(outer for inner, outer in inside.items() if f"{public}/levaithan" == inner)
        assert place.startswith("/public/levaithan/")
        assert (TOP / folder / place.removeprefix("/public/levaithan/")).is_file(), place


@pytest.mark.parametrize("name", NAMES)
def test_variables_are_the_ones_that_queries_use(name: str) -> None:
    made = {one["name"] for one in BOARDS[name]["templating"]["list"]}
    queries = [target.get("expr") or target["rawSql"] for board, _, target in QUERIES if board == name]
    used = {found for query in queries for found in re.findall(r"\$(?!__)(\w+)", query)}
    assert used == made


def test_every_metric_in_a_panel_is_emitted() -> None:
    emitted = {family.name for family in FAMILIES}
    emitted |= {
        f"{one.name}_{part}" for one in FAMILIES if one.kind == "histogram" for part in ("bucket", "sum", "count")
    }
    asked = [target["expr"] for _, _, target in IN_PROMQL]
    asked += [variable["definition"] for board in BOARDS.values() for variable in board["templating"]["list"]
              if variable["type"] == "query"]  # fmt: skip
    used = {name for one in asked for name in re.findall(r"\blevaithan_\w+", one)}
    assert len(used) > 40
    assert used - emitted == set()


def test_every_label_that_a_panel_goes_by_is_the_metric_s() -> None:
    """A misspelt label in a selector gives nothing, and one in `by` gives one line for all: neither is an error."""
    labels = {one.name: {*one.labels, "job", "instance"} for one in FAMILIES}
    wrong = []
    for board, panel, target in IN_PROMQL:
        for metric, inside in re.findall(r"\b(levaithan_\w+)\{([^}]*)\}", target["expr"]):
            base = metric if metric in labels else re.sub(r"_(bucket|sum|count)$", "", metric)
            named = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))
            wrong += [(board, panel["title"], metric, one) for one in named - labels[base] - {"le"}]
    assert wrong == []


def test_every_command_that_a_panel_names_exists() -> None:
    known = set(
        re.findall(r"^#+ (levaithan [\w -]+)$", (TOP / "docs/reference/cli.md").read_text("utf-8"), re.MULTILINE)
    )
    named = {found for _, one in PANELS for found in re.findall(r"`(levaithan [^`]*)`", one["description"])}
    assert len(named) > 10
    assert [one for one in named if re.match(r"levaithan( [a-z][a-z-]*)+", one)[0] not in known] == []  # type: ignore[index]


def test_every_runbook_that_a_panel_leads_to_is_of_a_rule_and_written() -> None:
    from levaithan.detectors import rules

    delivered = {one.alert for one in rules.default().rules}
    text = (TOP / "docs" / "how-to" / "runbooks.md").read_text("utf-8")
    written = set(re.findall(r'<a id="(\w+)">', text)) | {one.lower() for one in re.findall(r"(?m)^#+ (\w+)$", text)}
    led = {link["title"].removeprefix("Runbook: ") for _, one in PANELS for link in one["links"]}
    assert len(led) > 15
    assert led - delivered == set()
    assert {one.lower() for one in led} - written == set()


def test_the_histogram_of_tools_is_read_as_the_ledger_writes_it() -> None:
    from levaithan.stores import rollups

    (panel,) = [one for _, one in PANELS if one["title"] == "Calls that run"]
    cells, middles = re.findall(r"ARRAY\[([^\]]+)\]", panel["targets"][0]["rawSql"])
    assert cells.split(", ") == [name for name in rollups.MEASURES if name.startswith("tool_h")]
    assert [int(one) for one in middles.split(", ")] == [
        *(bound // 2 for bound in rollups.BOUNDS_US), rollups.BOUNDS_US[-1],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def prometheus(promtool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus with a month of figures."""
    try:
        server = Prometheus(blocks=seeded_metrics.blocks(FAMILIES, NOW_S, promtool, tmp_path_factory.mktemp("figures")))
    except ServerMissingError as error:
        without("prometheus", str(error))
    server.start()
    yield server.url()
    server.stop()


@pytest.mark.parametrize(("board", "panel", "target"), IN_PROMQL, ids=title)
def test_prometheus_answers_each_panel_with_something(
    prometheus: str, board: str, panel: dict[str, Any], target: dict[str, Any]
) -> None:
    query = filled_in(target["expr"])
    found = promql.instant(prometheus, query, NOW_S)
    assert any(math.isfinite(value) for _, value in found), (query, found)
    for name in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
        assert all(name in labels for labels, _ in found), (name, found)
    if target["range"]:
        assert promql.over(prometheus, query, NOW_S - 3600, NOW_S, 120)
    if target["format"] == "heatmap":
        assert len({labels["le"] for labels, _ in found}) > 5


def test_prometheus_knows_the_values_of_each_variable(prometheus: str) -> None:
    asked = {variable["definition"] for board in BOARDS.values() for variable in board["templating"]["list"]
             if variable["type"] == "query"}  # fmt: skip
    for one in asked:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", one).groups()  # type: ignore[union-attr]
        times = {"start": NOW_S - 86400, "end": NOW_S}
        assert promql.ask(prometheus, f"label/{label}/values", **{"match[]": metric}, **times)


@pytest.fixture(scope="module")
def reader() -> Iterator[str]:
    """The URL of a ledger with some history, for a user that may read and nothing else."""
    with seeded_ledger.made(time.time()) as url:
        yield url


@pytest.mark.parametrize(("board", "panel", "target"), IN_SQL, ids=title)
def test_postgres_answers_each_panel_with_something_as_the_user_that_only_reads(
    postgres_server: Any, reader: str, board: str, panel: dict[str, Any], target: dict[str, Any]
) -> None:
    import psycopg

    with psycopg.connect(reader) as link:
        found = link.execute(filled_in(target["rawSql"]).encode())
        rows, columns = found.fetchall(), [one.name for one in found.description or ()]
    assert rows, target["rawSql"]
    for at, column in enumerate(columns):
        assert any(row[at] is not None for row in rows), f"{column} is empty in every row"
    named = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    assert named <= set(columns)
    if target["format"] == "time_series":
        assert columns[0] == "time"


def test_the_open_incidents_are_the_open_ones_with_the_time_that_is_left(postgres_server: Any, reader: str) -> None:
    import psycopg

    (panel,) = [one for _, one in PANELS if one["title"] == "Incidents that are open"]
    with psycopg.connect(reader) as link:
        found = link.execute(filled_in(panel["targets"][0]["rawSql"]).encode())
        names = [one.name for one in found.description or ()]
        rows = {row[names.index("incident")]: dict(zip(names, row, strict=True)) for row in found.fetchall()}
    assert set(rows) == {"INC-open", "INC-acked", "INC-again"}
    assert 0 < float(rows["INC-open"]["left to answer"]) < 900
    assert rows["INC-acked"]["left to answer"] is None
    assert (rows["INC-acked"]["state"], rows["INC-again"]["state"]) == ("acknowledged", "reopened")
