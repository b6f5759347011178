"""Makes browsers available for the end-to-end tests: Debian's Chromium and Firefox.

Elsewhere Playwright's own Chromium; there the test in Firefox is skipped unless it is installed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("chromium", "firefox-esr")


def main() -> None:
    """Installs what is missing."""
    missing = [package for package in PACKAGES if not shutil.which(package)]
    if not missing:
        return
    if os.geteuid() == 0 and Path("/etc/debian_version").exists():
        print(f"installing Debian's {' and '.join(missing)}", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", *missing]):
            subprocess.run(
                ["apt-get", *command], check=True, env=environment, stdout=subprocess.DEVNULL
            )
    elif "chromium" in missing:
        print("installing Playwright's Chromium", flush=True)
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


if __name__ == "__main__":
    main()
