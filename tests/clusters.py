"""A real Ray cluster, of two nodes on this machine, and the processes in it."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

STORE = 80 * 2**20  # bytes; the least that Ray takes is 75 MiB


@contextlib.contextmanager
def two_nodes() -> Iterator[Any]:
    """A Ray cluster of two nodes with a processor each; the program's machine is the first."""
    pytest.importorskip("ray", reason="the cluster is not tested: Ray is not installed")
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # sockets in it need a short path
    Path("/tmp/ray").mkdir(exist_ok=True)  # Ray notes the latest cluster there, wherever that is
    head = {"num_cpus": 1, "object_store_memory": STORE, "temp_dir": folder}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Nodes whose head is lost end after so many seconds, else after 60.
        patch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "15")
        made = Cluster(initialize_head=True, head_node_args={**head, "include_dashboard": False})
        made.second = made.add_node(num_cpus=1, object_store_memory=STORE)
    yield made
    made.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def processes_of(function: Callable[..., Any]) -> list[int]:
    """Numbers of this machine's processes in which Ray is just calling a function."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "cmdline").read_bytes().startswith(f"ray::{function.__name__}".encode()):
                found.append(int(folder.name))
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    """Return as soon as something holds; it does on a busy machine too."""
    latest = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < latest
        time.sleep(0.1)
