"""Real Prometheus scrapes the real binary under load: every query of the rules and dashboards finds data."""

import contextlib
import json
import math
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import yaml
from queries import DEPLOY, alerts, metric_names, panel_queries, variable_queries

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "page"))
from scene import GROUP, Scene, end  # noqa: E402

# Panels that may be empty here, each with what it would need.
EMPTY = {
    "processors: Commit latency": "a task that commits meanwhile: those of the demo may be at the end of their input",
}
# A rate needs two scrapes within its ten seconds.
SCRAPES_MIN = 6


class Prometheus:
    """Debian's Prometheus with the configuration of deploy/, but one broker, and a scrape a second."""

    def __init__(self, folder, target):
        self.port = free_port()
        config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in config["rule_files"]]
        job, = config["scrape_configs"]
        job["static_configs"] = [{"targets": [target]}]
        path = pathlib.Path(folder) / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        self.log = (pathlib.Path(folder) / "prometheus.log").open("w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=subprocess.STDOUT)

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=20) as answer:
            return json.load(answer)["data"]

    def values(self, query):
        """The numbers that a query finds now."""
        return [float(series["value"][1]) for series in self.get("query", query=query)["result"]]

    def scrapes(self):
        with contextlib.suppress(OSError):
            found = self.values('count_over_time(up{job="mainstem"}[1m])')
            return found[0] if found else 0
        return 0


class Errors:
    """Clients that do it wrong, again and again: one's records are too large, another speaks HTTP to the Kafka port."""

    def __init__(self, scene):
        scene.create("small", "--config", "max.message.bytes=100")
        self.scene, self.stopped = scene, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        arguments = [self.scene.binary, "produce", "-b", self.scene.kafka, "small"]
        while not self.stopped.wait(1):
            subprocess.run(arguments, input="x" * 1000 + "\n", text=True, env=self.scene.environment,
                           capture_output=True, timeout=60)
            self._speak_http()

    def _speak_http(self):
        host, port = self.scene.kafka.rsplit(":", 1)
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=10) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while stranger.recv(4096):
                pass

    def stop(self):
        self.stopped.set()
        self.thread.join()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def promtool_accepts_a_scrape(scene):
    text = scene.get("/metrics")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    print(f"ok: promtool accepts a scrape of {len(text.splitlines())} lines")


def every_metric_that_is_named_is_exported(scene):
    exported = set(re.findall(r"^# TYPE (\w+) ", scene.get("/metrics"), re.M))
    named = {name for _, query in panel_queries() for name in metric_names(query)}
    named |= {name for alert in alerts() for name in metric_names(alert["expr"])}
    named |= {metric for _, metric, _ in variable_queries()}
    of_family = {name: re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    missing = sorted(name for name, family in of_family.items() if not {name, family} & exported)
    assert not missing, missing
    unused = sorted(exported - named - set(of_family.values()))
    print(f"ok: {len(named)} metrics are named, all are exported; on no dashboard: {', '.join(unused) or 'none'}")


def every_query_finds_data(prometheus):
    queries = list(panel_queries())
    empty = {}
    for place, query in queries:
        values = prometheus.values(query)
        if not any(math.isfinite(value) for value in values):
            empty.setdefault(place, query)
    assert set(empty) <= set(EMPTY), json.dumps(empty, indent=2)
    print(f"ok: {len(queries) - len(empty)} queries of dashboards find data, without: {', '.join(empty) or 'none'}")


def every_variable_has_values(prometheus):
    for place, metric, label in variable_queries():
        values = prometheus.get(f"label/{label}/values", **{"match[]": metric})
        assert values, place
        print(f"ok: {place}: {', '.join(values)}")


def every_rule_is_evaluated(prometheus):
    groups = prometheus.get("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == len(list(alerts()))
    broken = {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"}
    assert not broken, broken
    print(f"ok: {len(rules)} rules are evaluated")


def prometheus_has_what_the_broker_says(scene, prometheus):
    """With the load gone the lag stands still."""
    scene.load.stop()
    lag = lambda: scene.total("mainstem_group_lag", group=GROUP)
    scene.until("the lag", lambda: prometheus.values(f'sum(mainstem_group_lag{{group="{GROUP}"}})') == [lag()])
    print(f"ok: the lag of {GROUP} is {lag():,.0f} records here and there")


def the_health_check_of_the_image_works(scene):
    text = (DEPLOY / "docker/Dockerfile").read_text()
    command = json.loads(re.search(r"HEALTHCHECK .*?CMD (\[.*?\])", text, re.S)[1])
    assert command[0] == "mainstem"
    healthy = [scene.binary, *(scene.kafka if part == "127.0.0.1:9092" else part for part in command[1:])]
    assert subprocess.run(healthy, env=scene.environment, capture_output=True, timeout=30).returncode == 0
    nobody = f"127.0.0.1:{free_port()}"
    sick = [nobody if part == scene.kafka else part for part in healthy]
    assert subprocess.run(sick, env=scene.environment, capture_output=True, timeout=60).returncode != 0
    print("ok: the image's health check tells a broker from none")


def main(binary, folder):
    with Scene(binary, folder) as scene:
        errors = Errors(scene)
        scene.ends.callback(errors.stop)
        prometheus = Prometheus(folder, scene.http)
        scene.ends.callback(end, prometheus.process)
        wanted = ["mainstem_request_errors_total{", "mainstem_requests_refused_total{"]
        scene.until("errors", lambda: all(name in scene.get("/metrics") for name in wanted))
        promtool_accepts_a_scrape(scene)
        every_metric_that_is_named_is_exported(scene)
        the_health_check_of_the_image_works(scene)
        scene.until("scrapes", lambda: prometheus.scrapes() >= SCRAPES_MIN)
        begin = time.monotonic()
        every_query_finds_data(prometheus)
        every_variable_has_values(prometheus)
        every_rule_is_evaluated(prometheus)
        prometheus_has_what_the_broker_says(scene, prometheus)
    print(f"deploy/ is right ({time.monotonic() - begin:.0f} s of queries)")


if __name__ == "__main__":
    main(*sys.argv[1:])
