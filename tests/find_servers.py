"""Finds what the tests need on the machine, or installs it from Debian's packages where it may.

Run by ``make test`` before pytest. What is missing in the end is told in one line and its tests skip; with
``CI=true`` that is a failure.
"""

import os
import shutil
import subprocess
import sys

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""With which tests start Chromium: no sandbox, nothing asked of the network."""


def find_chromium() -> str | None:
    """The path of a Chromium on this machine; ``ATRIUM_CHROMIUM`` beats the search."""
    named = os.environ.get("ATRIUM_CHROMIUM")
    return named or next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def has_chinese_font() -> bool:
    """Whether a font with Chinese is there; without one a headless Chromium shows boxes."""
    lister = shutil.which("fc-list")
    if lister is None:
        return False
    return bool(subprocess.run([lister, ":lang=zh"], capture_output=True, text=True, check=False).stdout.strip())


def install(packages: list[str]) -> None:
    """Install from Debian's packages; a failure is told by what is still missing afterwards."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *command], env=environment, check=False, capture_output=True)


def missing() -> list[str]:
    """Debian's packages that would bring what is not there."""
    wanted = [] if find_chromium() else ["chromium"]
    return wanted + ([] if has_chinese_font() else ["fontconfig", "fonts-noto-cjk"])


def main() -> int:
    """Find, install, tell."""
    wanted = missing()
    if wanted:
        sys.stderr.write(f"installing for the tests: {', '.join(wanted)}\n")
        install(wanted)
        wanted = missing()
    if wanted:
        sys.stderr.write(f"missing, so browser tests are skipped: {', '.join(wanted)} (Debian's package names)\n")
        return 1 if os.environ.get("CI") == "true" else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
