"""What TensorFlow computes with one thread, whose sums come in one order on a busy machine, too."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def made_by_one_thread(folder: Path, script: str, given: Any) -> Any:
    """What a script makes of what it is given, in a process whose TensorFlow has one thread.

    Args:
        folder: for the files by which it goes there and back.
        script: makes `made` of `given`.
        given: can be pickled.
    """
    (folder / "given.pickle").write_bytes(pickle.dumps(given))
    script = f"""
import pickle, sys
given = pickle.load(open(sys.argv[1] + "/given.pickle", "rb"))
{script}
pickle.dump(made, open(sys.argv[1] + "/made.pickle", "wb"))
"""
    one_thread = {"TF_NUM_INTRAOP_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", script, str(folder)], env=os.environ | one_thread, check=True
    )
    return pickle.loads((folder / "made.pickle").read_bytes())
