"""A headless Chromium, driven over WebDriver with nothing but Python's own library."""

import base64
import json
import pathlib
import re
import subprocess
import tempfile
import time
import urllib.request

ANSWER_SECONDS = 30
CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",  # Tests run as root in containers.
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    # Whatever is not this machine cannot be reached: the page has to do without.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


class Browser:
    """Chromium with one tab; to be used in a with statement."""

    def __enter__(self):
        self.log = tempfile.NamedTemporaryFile(mode="w+", suffix=".chromedriver.log")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=self.log, stderr=subprocess.STDOUT)
        self.root = f"http://127.0.0.1:{self._port()}"
        options = {"args": CHROMIUM_ARGUMENTS}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.root += f"/session/{session['sessionId']}"
        return self

    def __exit__(self, *_):
        try:
            self._call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=10)

    def _port(self):
        """Where chromedriver listens, which it writes when it does."""
        for _ in range(300):
            found = re.search(r"started successfully on port (\d+)", pathlib.Path(self.log.name).read_text())
            if found:
                return found.group(1)
            time.sleep(0.1)
        raise TimeoutError("chromedriver does not start")

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)["value"]

    def devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def look(self, width, height, scheme):
        """A screen of this width, and whoever looks prefers this colour scheme."""
        is_phone = width < 600
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=2 if is_phone else 1, mobile=is_phone)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def run(self, script, *arguments):
        """What a JavaScript function's body returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, what, script, *arguments, seconds=20):
        """Runs it until it returns something true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            result = self.run(script, *arguments)
            if result:
                return result
            time.sleep(0.2)
        raise TimeoutError(f"{what}: not within {seconds} s; the page says: {self.text('body')[:2000]}")

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def console(self):
        """What was written to the console since the last time."""
        return self._call("POST", "/se/log", {"type": "browser"})

    def screenshot(self, path):
        """The whole page, not only what fits on the screen."""
        picture = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(picture["data"]))
