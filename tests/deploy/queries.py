"""What rules and dashboards ask Prometheus for."""

import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus/alerts.yml"
DASHBOARDS = DEPLOY / "grafana/dashboards"


def alerts():
    """The alerts, as the rules have them."""
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield from group["rules"]


def boards():
    """The dashboards by the names of their files."""
    for path in sorted(DASHBOARDS.glob("*.json")):
        yield path.stem, json.loads(path.read_text())


def panel_queries():
    """Where a query stands, and the query with its variables replaced: everything, over ten seconds."""
    for name, board in boards():
        variables = [variable["name"] for variable in board["templating"]["list"] if variable["type"] == "query"]
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                query = target["expr"].replace("$__rate_interval", "10s")
                for variable in variables:
                    query = query.replace(f'"${variable}"', '".*"')
                assert "$" not in query, f"{name}, {panel['title']}: {query}"
                yield f"{name}: {panel['title']}", query


def variable_queries():
    """The metric and the label that each variable of a dashboard takes its values from."""
    for name, board in boards():
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                query = variable["query"]["query"]
                metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", query).groups()
                yield f"{name}: {variable['name']}", metric, label


def metric_names(query):
    """The metrics that a query names."""
    return set(re.findall(r"\bmainstem_\w+", query))
