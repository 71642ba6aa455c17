"""``atrium serve`` as a process of its own that can be killed and started again on the same data folder and port."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

START_WITHIN_S = 180.0
_STOP_WITHIN_S = 20.0
_COMMAND = (sys.executable, "-c", "from runtime.cli import main; main()", "serve", "--clock", "events")


class ServerProcess:
    """``start`` before all else, ``stop`` at the end; ``kill`` and ``start`` between as often as one likes."""

    def __init__(self, folder: Path, *flags: str) -> None:
        """Args: flags: of ``atrium serve``, such as ``--no-track``."""
        self.folder = folder
        self._flags = flags
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it says where it listens."""
        log = self.folder / "server.log"
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [*_COMMAND, *self._flags, "--port", str(self.port), "--data-dir", str(self.folder)],
                stderr=said,
                env={**os.environ, "NO_COLOR": "1"},
            )
        deadline_s = time.monotonic() + START_WITHIN_S
        while f"127.0.0.1:{self.port}" not in log.read_text():
            if time.monotonic() > deadline_s or self._process.poll() is not None:
                raise RuntimeError(f"the server did not start: {log.read_text()}")
            threading.Event().wait(0.02)

    def kill(self) -> None:
        """End it by SIGKILL, at whatever it is."""
        if self._process is None:
            raise ValueError("the server was not started")
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C does, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=_STOP_WITHIN_S)
