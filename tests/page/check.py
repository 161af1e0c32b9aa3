"""What a person sees on the page at / is what /metrics says, on a phone and on a desk, by day and by night."""

import os
import pathlib
import re
import sys

from browser import Browser
from scene import GROUP, PROCESSOR, TOPIC, Scene

LOOKS = [(375, 812, "light"), (375, 812, "dark"), (1280, 900, "light"), (1280, 900, "dark")]


def number(text):
    """The first number of a text: 12,345 records."""
    return float(re.search(r"[\d,.]+", text)[0].replace(",", ""))


class Page:
    """The page in a browser, read as it is rendered."""

    def __init__(self, browser, scene):
        self.browser, self.scene = browser, scene

    def tile(self, name):
        return self.browser.text(f"#tile-{name} .figure")

    def cell(self, table, row, column):
        """What the table says in this row below (on a phone: beside) this title."""
        script = """
            const [table, row, column] = arguments;
            const found = document.querySelector(`#${table} tr[data-name="${row}"] td[data-label="${column}"]`);
            return found ? found.innerText.replace(column, '').trim() : '';
        """
        return self.browser.run(script, table, row, column)

    def until_equal(self, what, shown, expected):
        """Waits for what the broker says now to be on the page."""
        self.scene.until(what, lambda: shown() == expected())
        print(f"ok: {what}: {shown():,.0f}")


def is_live(browser):
    browser.until("the page is live", "return document.getElementById('state').innerText === 'live'")


def rates_change(page):
    seen = set()
    page.scene.until("rates change", lambda: seen.add(page.tile("records-in")) or
                     len([rate for rate in seen if rate and number(rate) > 0]) > 1)
    assert all(rate.endswith("rec/s") for rate in seen if rate), seen
    page.scene.until("the topic's rate", lambda: number(page.cell("topics", TOPIC, "Records in") or "0") > 0)
    print(f"ok: rates change: {', '.join(sorted(seen))}")


def a_lag_grows(page):
    lag = lambda: number(page.cell("groups", GROUP, "Lag") or "0")
    page.scene.until("the group appears", lambda: lag() > 0)
    before = lag()
    page.scene.until("its lag grows", lambda: lag() > before)
    print(f"ok: the lag of {GROUP} grows: {before:,.0f}, {lag():,.0f} records")


def looks_right(browser, width, height, scheme):
    """Nothing is wider than the screen, every chart is drawn, colours are those of the scheme."""
    browser.look(width, height, scheme)
    browser.until("charts are drawn", "return document.querySelectorAll('.plot svg polyline').length >= 4")
    wide = browser.run("return document.documentElement.scrollWidth")
    assert wide <= width, f"{wide} pixels on a screen of {width}"
    red, green, blue = map(int, re.findall(r"\d+", browser.run("return getComputedStyle(document.body).backgroundColor"))[:3])
    assert (red + green + blue < 200) == (scheme == "dark"), (scheme, red, green, blue)
    small = browser.run("return Math.min(...[...document.querySelectorAll('main *')].filter(e => e.innerText)"
                        ".map(e => parseFloat(getComputedStyle(e).fontSize)))")
    assert small >= 10, f"text of {small} pixels"
    if folder := os.environ.get("PAGE_SHOTS"):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        browser.screenshot(pathlib.Path(folder) / f"{width}-{scheme}.png")
    print(f"ok: {width} pixels, {scheme}")


def equals_metrics(page):
    """With the load gone everything stands still, and both tell the same."""
    scene = page.scene
    scene.load.stop()
    page.until_equal("the group's lag", lambda: number(page.cell("groups", GROUP, "Lag")),
                     lambda: scene.total("mainstem_group_lag", group=GROUP))
    page.until_equal("late drops", lambda: number(page.cell("processors", PROCESSOR, "Late drops")),
                     lambda: scene.total("mainstem_processor_late_drops_total", processor=PROCESSOR))
    page.until_equal("late drops of all", lambda: number(page.tile("late")),
                     lambda: scene.total("mainstem_processor_late_drops_total"))
    page.until_equal("partitions", lambda: number(page.cell("topics", TOPIC, "Partitions")),
                     lambda: scene.total("mainstem_topic_partitions", topic=TOPIC))
    page.until_equal("the rate is zero again", lambda: number(page.tile("records-in")), lambda: 0)
    assert scene.total("mainstem_processor_late_drops_total") > 0
    assert scene.total("mainstem_group_lag", group=GROUP) > 0


def tasks_are_shown_by_state(page):
    """Those of the demo run, and come to their end with its log."""
    tasks = lambda state: page.scene.total("mainstem_processor_tasks", processor=PROCESSOR, state=state)
    shown = lambda: re.fullmatch(r"(\d+) (running|finished)", page.cell("processors", PROCESSOR, "Tasks"))
    page.scene.until("tasks", lambda: (found := shown()) and 0 < int(found[1]) == tasks(found[2]))
    buffered = page.scene.total("mainstem_processor_buffered_input_records", processor=PROCESSOR)
    shown = page.cell("processors", PROCESSOR, "Buffered")
    assert number(shown) == buffered and shown.endswith("B"), shown
    print(f"ok: tasks: {page.cell('processors', PROCESSOR, 'Tasks')}; waiting: {shown}")


def details_open_by_keyboard(page):
    toggle = f'#groups tr[data-name="{GROUP}"] .toggle'
    page.browser.run("document.querySelector(arguments[0]).focus()", toggle)
    for kind in ("rawKeyDown", "char", "keyUp"):
        page.browser.devtools("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                              windowsVirtualKeyCode=13)
    page.browser.until("details open", "return document.querySelector(arguments[0]).ariaExpanded === 'true'", toggle)
    lags = page.browser.run("""
        const rows = document.querySelectorAll('#groups .details tbody tr td:last-child .value');
        return [...rows].map((row) => row.innerText)
    """)
    assert sum(map(number, lags)) == page.scene.total("mainstem_group_lag", group=GROUP), lags
    print(f"ok: lag by partition: {', '.join(lags)}")


def comes_from_here_alone(page):
    names = page.browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert names and all(name.startswith(f"http://{page.scene.http}/") for name in names), names
    console = page.browser.console()
    assert console == [], console
    print(f"ok: {len(names)} requests, all to the broker; nothing in the console")


def says_that_the_broker_is_gone(page):
    page.scene.broker.terminate()
    page.browser.until("the page is stale", "return !document.getElementById('stale').hidden")
    said = page.browser.text("#stale")
    assert said.startswith("The broker does not answer. These figures are of "), said
    print(f"ok: {said}")


def a_fresh_broker_says_what_to_do(binary, folder, browser):
    scene = Scene(binary, folder)
    with scene.ends:
        _, said = scene.serve("serve")
        browser.open(f"{said['http'] if '://' in said['http'] else 'http://' + said['http']}/")
        is_live(browser)
        for section, hint in [("groups", "mainstem consume"), ("processors", "mainstem demo")]:
            assert hint in browser.text(f"#{section} .empty"), browser.text("main")
        assert browser.console() == []
        browser.open("about:blank")
        print("ok: a fresh broker says what to do next")


def main(binary, folder):
    fresh = pathlib.Path(folder) / "fresh"
    fresh.mkdir()
    with Browser() as browser:
        a_fresh_broker_says_what_to_do(binary, fresh, browser)
        with Scene(binary, folder) as scene:
            page = Page(browser, scene)
            browser.open(f"http://{scene.http}/")
            is_live(browser)
            rates_change(page)
            a_lag_grows(page)
            for look in LOOKS:
                looks_right(browser, *look)
            equals_metrics(page)
            tasks_are_shown_by_state(page)
            details_open_by_keyboard(page)
            comes_from_here_alone(page)
            says_that_the_broker_is_gone(page)
    print("the page is right")


if __name__ == "__main__":
    main(*sys.argv[1:])
