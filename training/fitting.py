"""What both trainings have in common around Keras' ``fit``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WEIGHTS = "weights.weights.h5"


def fastest_policy() -> str:
    """What the weights are multiplied in, as Keras calls it.

    ``mixed_bfloat16`` on a graphics processor or a CPU with instructions for it, otherwise
    ``float32``: emulated, bfloat16 is several times slower.
    """
    if keras.backend.backend() == "torch":
        import torch

        graphics = torch.cuda.is_available()
    else:
        import tensorflow as tf

        graphics = bool(tf.config.list_physical_devices("GPU"))
    if graphics:
        return "mixed_bfloat16"
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        flags = ""
    return "mixed_bfloat16" if "amx_bf16" in flags or "avx512_bf16" in flags else "float32"


def claim(out: Path, recipe: "DataclassInstance") -> None:
    """Makes ``out`` the folder of a training by ``recipe``, which is written there.

    Raises:
        ValueError: it belongs to another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    file, text = out / "recipe.json", json.dumps(asdict(recipe), indent=2) + "\n"
    if file.exists() and file.read_text() != text:
        raise ValueError(f"{out} holds a training of another recipe; delete it or name another")
    file.write_text(text)


def cosine(learning_rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Warmed up for a twentieth of the steps, then lowered to zero in a half cosine.

    Loshchilov & Hutter, 2017 ("SGDR").
    """
    warm_up = max(1, steps // 20)
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / 25,
        decay_steps=max(1, steps - warm_up),
        warmup_target=learning_rate,
        warmup_steps=warm_up,
    )


def kernels_only(optimizer: Any) -> Any:
    """The optimizer, set to decay the weights of kernels and nothing else."""
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer
