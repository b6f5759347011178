"""`make run`: what a person sees, on a machine of their own."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import FREE_PORTS
from emotion_local import LocalSettings, Stack

ROOT = Path(__file__).resolve().parents[2]


def flags(work: Path, **ports: int) -> list[str]:
    chosen = FREE_PORTS | ports
    return [
        *(f"--{name.replace('_', '-')}={port}" for name, port in chosen.items()),
        f"--work-directory={work}",
    ]


def start(work: Path, **ports: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "emotion_local", *flags(work, **ports)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


def read_until(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Reads what the launcher prints until a line matches; the test's timeout bounds it."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if match := re.search(pattern, line):
            return match
    raise AssertionError(f"{pattern} never came; it printed {''.join(seen)}")


def children(pid: int) -> set[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return {int(child) for child in path.read_text().split()}


def sockets(pid: int) -> list[str]:
    """Paths of the Unix sockets that a process has been told to listen on."""
    words = [word.decode() for word in command(pid).split(b"\0")]
    return [word.partition("=")[2] for word in words if "unix-socket=" in word]


def status(url: str) -> int:
    host = url.removeprefix("http://").replace("localhost", "127.0.0.1")
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.request("GET", "/")
    return connection.getresponse().status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path)
    url = read_until(process, r"open (http://\S+)")[1]
    parts = children(process.pid)
    assert len(parts) == 5
    assert status(url) == 200
    (folder,) = {Path(path).parent for pid in parts for path in sockets(pid)}
    assert folder.stat().st_mode & 0o077 == 0, "others could connect"
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert not any(Path(f"/proc/{pid}").exists() for pid in parts)
    assert not folder.exists()


def test_nothing_but_the_edge_and_the_page_opens_a_port(stack: Stack) -> None:
    opened = {
        connection.laddr.port
        for process in stack.processes.values()
        for connection in psutil.Process(process.pid).net_connections("tcp")
        if connection.status == "LISTEN"
    }
    assert opened == {stack.settings.port, stack.settings.page_port}


def giving_way(stack: Stack) -> set[str]:
    """The parts that are scheduled as batch work."""
    return {
        name
        for name, process in stack.processes.items()
        for thread in Path(f"/proc/{process.pid}/task").iterdir()
        if os.sched_getscheduler(int(thread.name)) == os.SCHED_BATCH
    }


def test_what_only_passes_messages_on_never_interrupts_the_analysis(stack: Stack) -> None:
    assert giving_way(stack) == {"envoy", "gateway"}


def test_all_parts_can_be_treated_alike(tmp_path: Path) -> None:
    with Stack(LocalSettings(**FREE_PORTS, work_directory=tmp_path, give_way=False)) as alike:
        assert giving_way(alike) == set()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(tmp_path, page_port=port)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"port {port}, which page needs" in output
    assert "--page-port" in output
    assert "Traceback" not in output


def test_a_part_that_dies_is_named_and_started_again(tmp_path: Path) -> None:
    process = start(tmp_path)
    try:
        read_until(process, "open http")
        before = children(process.pid)
        victim = next(p for p in before if b"emotion_classifier" in command(p))
        os.kill(victim, signal.SIGKILL)
        read_until(process, "classifier was ended by SIGKILL")
        read_until(process, "starting classifier again")
        deadline = time.monotonic() + 20
        while not any(
            b"emotion_classifier" in command(p) for p in children(process.pid) - {victim}
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        again = children(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert not any(b"emotion_" in command(pid) for pid in again)


def test_a_stop_while_parts_start_leaves_none_over(tmp_path: Path) -> None:
    for pause in (0.6, 0.8, 1.0):
        process = start(tmp_path)
        time.sleep(pause)
        started = children(process.pid)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        assert "Traceback" not in output
        left = {pid for pid in started if command(pid)}
        assert not left


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.timeout(600)
def test_a_fresh_clone_runs_and_starts_again_without_a_network(tmp_path: Path) -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout, so nothing can be cloned; CI tests a clone")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)

    def run(environment: dict[str, str]) -> None:
        process = subprocess.Popen(
            ["make", "run", f"ARGS={' '.join(flags(tmp_path / 'work'))}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=clone,
            env=environment,
            start_new_session=True,
        )
        try:
            url = read_until(process, r"open (http://\S+)")[1]
            assert status(url) == 200
        finally:
            # What a terminal does at Ctrl-C: make itself is interrupted, too.
            os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        assert "stopping" in output
        assert "error" not in output.lower()
        with pytest.raises(ConnectionRefusedError):
            status(url)

    environment = {k: v for k, v in os.environ.items() if not k.startswith(("VIRTUAL_ENV", "MAKE"))}
    run(environment)
    nowhere = "http://127.0.0.1:9"
    run(environment | dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), nowhere))
