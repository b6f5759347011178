"""Makes podman available for the tests of containers, where that is a matter of Debian packages.

Where it is not, the tests are skipped and say what is missing.
"""

import os
import shutil
import subprocess
from pathlib import Path

NETWORK = ("netavark", "aardvark-dns", "iptables")
PACKAGES = {
    "podman": ("podman", "crun", "runc", "catatonit", "fuse-overlayfs", *NETWORK),
    "mmdebstrap": ("mmdebstrap",),
}
"""By the command that is missing without them; podman uses runc where crun starts nothing."""


def main() -> None:
    """Installs what is missing, if this is Debian and we are root."""
    missing = [p for command, ps in PACKAGES.items() if not shutil.which(command) for p in ps]
    if not missing or os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        return
    print(f"installing Debian's {' and '.join(missing)}", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["update", "-qq"],
        ["install", "-y", "-qq", "--no-install-recommends", *missing],
    ):
        done = subprocess.run(
            ["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            print(f"apt-get {command[0]} failed: containers will not be tested", flush=True)
            return


if __name__ == "__main__":
    main()
