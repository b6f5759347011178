"""What both command lines have in common."""

import argparse
import sys

from training.folder import DataError


def verbosity(text: str) -> int | str:
    """Keras' ``verbose``: "auto", or 0, 1, 2."""
    return text if text == "auto" else int(text)


def add_verbose(command: argparse.ArgumentParser) -> None:
    """``--verbose``, as Keras' ``fit`` has it."""
    command.add_argument(
        "--verbose",
        type=verbosity,
        default="auto",
        choices=("auto", 0, 1, 2),
        help="as Keras' fit: auto is a progress bar, 2 a line an epoch for logs",
    )


def carry_out(options: argparse.Namespace) -> int:
    """Does ``options.run``; the exit status: 2 where data is missing or damaged, 130 for Ctrl-C."""
    try:
        options.run(options)
    except (DataError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "interrupted; a training goes on with its last whole epoch when it is called again",
            file=sys.stderr,
        )
        return 130
    return 0
