"""A process of an application: started, killed, paused, stopped in order."""

import os
import pathlib
import shutil
import signal
import subprocess

END_LIMIT_S = 40
# The first compiler alone: a process lives for seconds.
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.streams.processor.internals.StreamThread=info"]


class Instance:
    def __init__(self, folder, kind, bootstrap, application, settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        classes = f"{os.environ['STREAMS_CLASSES']}:{os.environ['STREAMS_JARS']}/*"
        self.command = [*JAVA, "-cp", classes, "Application", kind, bootstrap, application, str(self.folder / "state")]
        self.command += [f"{name}={value}" for name, value in settings.items()]
        self.process, self.begin = None, 0

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.begin = log.tell()
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def check(self):
        """Nobody waits for a process that has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the application has ended by itself: {self.log()[-3000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def wipe(self):
        shutil.rmtree(self.folder / "state", ignore_errors=True)

    def pause(self):
        # Whether it works is to be told anew once it goes on.
        self.begin = (self.folder / "log").stat().st_size
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """In order: what is done is committed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the application does not end: {self.log()[-3000:]}") from None

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def works(self):
        """Whether it runs and has tasks, as it has told last."""
        states = [line for line in self.log()[self.begin:].splitlines() if line.startswith("state ")]
        return bool(states) and states[-1].startswith("state RUNNING with") and not states[-1].endswith(" 0")

    def log(self):
        return (self.folder / "log").read_text(errors="replace")
