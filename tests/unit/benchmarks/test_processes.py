import os
import subprocess
import sys
import time

from benchmarks.processes import (
    command,
    cpu_seconds,
    machine_cpu_seconds,
    resident_kb,
    tree,
)


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_cpu_time_is_that_which_was_used() -> None:
    own, machine = cpu_seconds([os.getpid()]), machine_cpu_seconds()
    spin(0.3)
    assert 0.27 <= cpu_seconds([os.getpid()]) - own <= 0.5
    assert machine_cpu_seconds() - machine >= 0.25


def test_a_tree_has_children_and_grandchildren() -> None:
    sleep = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {'input()'!r}])"
    child = subprocess.Popen([sys.executable, "-c", sleep], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 10
        while len(found := tree(child.pid)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert found[0] == child.pid
        assert set(found) < set(tree(os.getpid()))
        assert "input()" in command(found[1])
        assert resident_kb(found) > resident_kb(found[:1]) > 1000
    finally:
        child.communicate(b"\n", timeout=10)
    assert tree(child.pid) == []
    assert cpu_seconds([child.pid]) == resident_kb([child.pid]) == 0
    assert command(child.pid) == ""
