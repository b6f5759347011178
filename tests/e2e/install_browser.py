"""Makes a Chromium available for the end-to-end tests: Debian's, or Playwright's own elsewhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Installs it if there is none yet."""
    if shutil.which("chromium"):
        return
    if os.geteuid() == 0 and Path("/etc/debian_version").exists():
        print("installing Debian's Chromium", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "chromium"]):
            subprocess.run(
                ["apt-get", *command], check=True, env=environment, stdout=subprocess.DEVNULL
            )
        return
    print("installing Playwright's Chromium", flush=True)
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


if __name__ == "__main__":
    main()
