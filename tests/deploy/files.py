"""The files of deploy/ name only what is there: paths, commands, alerts, sections of the runbook."""

import json
import re

import yaml
from queries import ALERTS, DASHBOARDS, DEPLOY, ROOT, alerts, boards

COLUMNS = 24


def compose_names_what_is_there():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services, volumes = compose["services"], compose["volumes"]
    assert set(services) == {"broker", "prometheus", "grafana"}
    build = services["broker"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    for name, service in services.items():
        assert "image" in service and re.search(r":v?\d", service["image"]) or "build" in service, f"{name}: no version"
        for port in service["ports"]:
            assert port.startswith("127.0.0.1:"), f"{name}: {port} is open to others"
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in volumes, f"{name}: {source}"
        for other in service.get("depends_on", []):
            assert other in services, f"{name}: {other}"
    settings = (ROOT / "docs/settings.md").read_text()
    for setting in services["broker"]["environment"]:
        assert f"`{setting}`" in settings, f"{setting} is no setting"


def grafana_finds_its_dashboards():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    provisioning = DEPLOY / "grafana/provisioning"
    provider, = yaml.safe_load((provisioning / "dashboards/mainstem.yaml").read_text())["providers"]
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    source, = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090" and source["isDefault"]
    home = compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DASHBOARDS / home.removeprefix(f"{provider['options']['path']}/")).is_file(), home


def the_image_installs_nothing_and_is_not_root():
    text = (DEPLOY / "docker/Dockerfile").read_text()
    last = text[text.rindex("\nFROM "):]
    user = re.search(r"^USER (\d+):(\d+)$", last, re.M)
    assert user and int(user[1]) > 0, "the image runs as root"
    assert "HEALTHCHECK" in last and "apt-get" not in last, "the last stage installs something"
    settings = (ROOT / "docs/settings.md").read_text()
    for setting in re.findall(r"MAINSTEM_\w+", last):
        assert f"`{setting}`" in settings, f"{setting} is no setting"


def the_build_gets_all_that_it_needs():
    """Folders that manifests and sources name are not kept from the image's build."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    manifests = [path for path in ROOT.glob("**/Cargo.toml") if "target" not in path.parts]
    named = {(manifest.parent / path).resolve() for manifest in manifests
             for path in re.findall(r'path = "([^"]+)"', manifest.read_text())}
    sources = [path for path in (ROOT / "broker/src").glob("**/*.rs")]
    named |= {(source.parent / path).resolve() for source in sources
              for path in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text())
              if "assert" not in path and "deploy/" not in path}
    for path in named:
        top = path.relative_to(ROOT).parts[0]
        assert top in allowed, f".dockerignore keeps {path.relative_to(ROOT)} from the build"
    assert "tests/data" in allowed, "the demo's log"


def every_alert_has_its_section_and_its_test():
    sections = re.findall(r"^## (\w+)$", (ROOT / "docs/runbook.md").read_text(), re.M)
    tests = yaml.safe_load((DEPLOY / "prometheus/alerts.test.yml").read_text())["tests"]
    tested = [case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]]
    names = [alert["alert"] for alert in alerts()]
    assert sorted(sections) == sorted(names), set(sections) ^ set(names)
    assert sorted(tested) == sorted(names), set(tested) ^ set(names)
    for alert in alerts():
        assert alert["labels"]["severity"] in ("critical", "warning", "info"), alert["alert"]
        place = f"docs/runbook.md#{alert['alert'].lower()}: "
        assert alert["annotations"]["runbook"].startswith(place), alert["alert"]


def dashboards_are_well_formed():
    found = list(boards())
    uids = [board["uid"] for _, board in found]
    assert len(set(uids)) == len(uids) == 4, uids
    for name, board in found:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids), f"{name}: a panel's id is used twice"
        taken = set()
        for panel in board["panels"]:
            x, y, width, height = (panel["gridPos"][key] for key in "xywh")
            cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
            assert x + width <= COLUMNS and not cells & taken, f"{name}: {panel['title']} overlaps"
            taken |= cells
            if panel["type"] != "row":
                assert panel["fieldConfig"]["defaults"]["unit"], f"{name}: {panel['title']} has no unit"
                assert panel["datasource"]["uid"] == "${datasource}", f"{name}: {panel['title']}"


def main():
    for check in [compose_names_what_is_there, grafana_finds_its_dashboards, the_image_installs_nothing_and_is_not_root,
                  the_build_gets_all_that_it_needs, every_alert_has_its_section_and_its_test,
                  dashboards_are_well_formed]:
        check()
        print(f"ok: {check.__name__.replace('_', ' ')}")
    print(f"{len(list(alerts()))} alerts in {ALERTS.name}, {len(json.dumps([b for _, b in boards()]))} bytes of dashboards")


if __name__ == "__main__":
    main()
