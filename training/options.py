"""Options that both command lines have."""

import argparse


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
