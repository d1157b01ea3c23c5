"""Entry point: `python __init__.py DATASET [-m MODEL_FOLDER]` opens the menu.

Arguments go in, an exit code comes out. Importing this file does nothing but define.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

__version__ = "0.1.0"
SPLITS = ("training", "validation", "test", "generator")


def main(arguments: Sequence[str] | None = None) -> int:
    """Open a data set and run the menu on it.

    Args:
        arguments: the command line without the program's name; None is the process's own.

    Returns:
        0 when the menu was left, 1 when it cannot go on, 2 when the data set cannot be used, 130
        after Ctrl-C before it.
    """
    options = _parser().parse_args(arguments)
    _prepare_streams()
    _end_in_order_when_told_to()
    try:
        import menu

        return menu.run(
            options.dataset,
            model_folder=options.model_collection_path,
            generator_folder=options.gan_collection_path,
            seed=options.seed,
            keep_digits=options.keep_digits,
            file_split=options.file_split,
            shares=options.split_shares,
            group=options.group,
            workers=options.workers,
            cluster=options.cluster,
        )
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; nothing more can be said, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        return _failed(f"The package {error.name!r} is not installed; see README.md.")
    except OSError as error:
        return _failed(f"The program cannot go on: {error.strerror or error}")
    except ImportError as error:
        return _failed(f"A package cannot be loaded: {error}; see README.md.")
    except Exception as error:
        from user_state import log_defect

        return _failed(log_defect(error))


def _end_in_order_when_told_to() -> None:
    """SIGTERM and a terminal that is closed leave nothing over: screen, processes and files."""
    for name in ("SIGTERM", "SIGHUP"):  # Windows lacks the second
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with contextlib.suppress(ValueError):  # only the main thread may
                signal.signal(number, _end_by_signal)


def _end_by_signal(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _prepare_streams() -> None:
    """Characters that cannot be shown never end the program, nor does a stream that is closed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
        # Names of files may be any bytes, and an answer finds them only as it was given.
        getattr(sys, name).reconfigure(errors="replace" if number else "surrogateescape")


def _failed(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python __init__.py",
        description="Train networks on handwritten characters, draw characters, and read them.",
    )
    parser.add_argument(
        "dataset",
        type=_path,
        metavar="DATASET",
        help="labelled characters: a folder (or .zip, .tar.gz) of pictures with a sub-folder a "
        "class, NIST's MATLAB layout (.mat), IDX files, .npz of images and labels, or a name: "
        "mnist, fashion-mnist, emnist-balanced, -letters, -byclass, -bymerge, -digits, -mnist",
    )
    _add_folders(parser)
    parser.add_argument(
        "-s", "--seed", type=_seed, default=42, metavar="N", help="repeats a session (default 42)"
    )
    _add_splitting(parser)
    _add_trainers(parser)
    parser.add_argument("--version", action="version", version=f"handwriting {__version__}")
    return parser


def _add_folders(parser: argparse.ArgumentParser) -> None:
    """Where trained networks and generators are."""
    parser.add_argument(
        "-m",
        "--model-collection-path",
        type=_path,
        metavar="FOLDER",
        help="load the collection in this folder at the start",
    )
    parser.add_argument(
        "-g",
        "--gan-collection-path",
        type=_path,
        metavar="FOLDER",
        help="keep trained generators in this folder (default: gan_collection of the program)",
    )


def _add_splitting(parser: argparse.ArgumentParser) -> None:
    """Which images of the data set are used, and for what."""
    parser.add_argument("--keep-digits", action="store_true", help="keep 0 to 9 among the classes")
    parser.add_argument(
        "--file-split",
        action="store_true",
        help="keep the file's own test rows as the test set, for figures beside published ones",
    )
    parser.add_argument(
        "--split-shares",
        type=_shares,
        metavar="T:V:T:G",
        default=None,
        help="parts for training, validation, test and generators (default 64:16:10:10)",
    )
    parser.add_argument(
        "--group",
        type=_group,
        metavar="PATTERN",
        help="keep pictures together that have this regular expression, or its first (...), alike "
        "in their paths, such as those of one hand or font; 'file' for the name without its ending",
    )


def _add_trainers(parser: argparse.ArgumentParser) -> None:
    """Who trains: processes of this machine, or a cluster."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-w",
        "--workers",
        type=_workers,
        metavar="N",
        help="train N networks at once, each in a process of its own; changes no result "
        "(default: as many as there are cores, where there is enough to train)",
    )
    where.add_argument(
        "--cluster",
        type=_cluster,
        metavar="HOST:PORT",
        help="train networks and generators on the Ray cluster whose head node is there; "
        "see docs/cluster.md",
    )


def _path(text: str) -> Path:
    if not text:  # pathlib would take it for the current folder
        raise argparse.ArgumentTypeError("it is empty, which names no file or folder")
    return Path(text)


def _group(text: str) -> str:
    from data_formats.problems import Problem
    from image_groups import check_pattern

    try:
        check_pattern(text)
    except Problem as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem
    return text


def _seed(text: str) -> int:
    from command_line import a_seed

    return a_seed(text)


def _shares(text: str) -> dict[str, int]:
    parts = text.split(":")
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 7]
    if not len(parts) == len(numbers) == len(SPLITS) or not all(numbers):
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} are no shares; give four whole numbers, 1 or more, for training, "
            "validation, test and generators, such as 64:16:10:10"
        )
    return dict(zip(SPLITS, numbers, strict=True))


def _cluster(text: str) -> str:
    from crews import cluster_address

    try:
        cluster_address.host_and_port(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _workers(text: str) -> int:
    digits = text.lstrip("0")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 3:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is no number of workers; give a whole number from 1 to 999"
        )
    return int(digits)


def _leave(code: int) -> None:
    """End the process at once: libraries may still be loading behind the menu."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    os._exit(code)


if __name__ == "__main__":
    _leave(main())
