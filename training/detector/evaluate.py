"""Measures a detector beside YuNet on pictures that training did not see."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from emotion_detector.boxes import Faces, clip
from emotion_detector.chips import cut_chips
from emotion_detector.detector import FaceDetector
from emotion_detector.network import Network
from emotion_detector.picture import Limits
from numpy.typing import NDArray

from training.classifier import data as fer
from training.detector import still
from training.detector.augment import placing, shown
from training.detector.conditions import CONDITIONS, is_profile, scene
from training.detector.data import Picture
from training.detector.labels import Labels, overlaps
from training.detector.reference import Detector, free_size, session
from training.detector.scoring import Judged, judge, precision_at, recall_at, threshold_at, together
from training.folder import DataError, file_bytes, subfolder
from training.pictures import jpeg

Pixels = NDArray[np.uint8]
Results = dict[str, Any]
# A picture, and the box, float32 [4], and landmarks, float32 [5, 2], of a face in it.
Face = tuple[Picture, NDArray[np.float32], NDArray[np.float32]]

SIZES = (320, 640)  # longer side in pixels
ALARMS = (0.1, 0.25, 0.5, 1.0)  # a picture
CURVE_ALARMS = tuple(float(v) for v in np.geomspace(0.02, 2, 21))
CURVE_RECALLS = tuple(float(v) for v in np.arange(0.3, 1.0, 0.035))
SERVED_SCORE = 0.5  # the gateway's default min_detection_score
LEAST_WIDTH = 20  # pixels at the size looked at
PARTS = (0.2, 0.4, 0.6, 0.75, 0.85, 1.0, 1.2)
YUNETS = {
    "YuNet 2023mar": "face_detection_yunet_2023mar.onnx",
    "YuNet n": "yunet_n_640_640.onnx",
}
_COLOUR_BLIND = "YuNet 2023mar"
_LOWEST = 0.03
_CONDITION_ALARMS = 0.1
_CHIP_CANVAS, _CHIP_QUALITY = (640, 480), 85
_SEED = 5


@dataclass(frozen=True)
class HeldOut:
    """A set of pictures with labels: their numbers, and how far the labels go."""

    title: str
    pictures: list[Picture]
    labels: list[Labels]


def detectors(ours: Mapping[str, Path], data: Path) -> dict[str, Detector]:
    """Ours by name, and the references.

    Raises:
        DataError: a file is missing or damaged.
    """
    folder = subfolder(data, "reference-models")
    found = {name: Detector(file_bytes(file)) for name, file in ours.items()}
    return found | {name: Detector(free_size(folder / file)) for name, file in YUNETS.items()}


def colour_blind(ours: Mapping[str, Path], data: Path) -> dict[str, Detector]:
    """Ours and YuNet 2023mar on gray pictures, by name: what colours are worth to them.

    Raises:
        DataError: a file is missing or damaged.
    """
    yunet = free_size(subfolder(data, "reference-models") / YUNETS[_COLOUR_BLIND])
    models = {name: file_bytes(file) for name, file in ours.items()} | {_COLOUR_BLIND: yunet}
    return {f"{name}, gray": Detector(model, colour=False) for name, model in models.items()}


def sets(pictures: Sequence[Picture], labels: Sequence[Labels]) -> dict[str, HeldOut]:
    """The pictures held out of training.

    People's boxes stand alone: what references see beside them counts as wrong, for all alike.
    """
    people, machine = HeldOut("people's boxes", [], []), HeldOut("machine's boxes", [], [])
    for picture, known in zip(pictures, labels, strict=True):
        if not picture.held_out or picture.face_free:
            continue
        chosen = people if picture.people else machine
        chosen.pictures.append(picture)
        chosen.labels.append(
            Labels(picture.boxes, known.landmarks, picture.unsure) if picture.people else known
        )
    return {"people": people, "machine": machine}


def curves(found: Mapping[str, Detector], held_out: Mapping[str, HeldOut]) -> Results:
    """Recall at equal false alarms and precision over recall, by set and size, then by detector.

    The set "all" is of the pictures of all sets.
    """
    results: Results = {}
    for size in SIZES:
        sets = {
            key: _judge(found, pictures, size, f"{key} {size}")
            for key, pictures in held_out.items()
        }
        every = {name: together(judged[name] for judged in sets.values()) for name in found}
        for key, judged in {"all": every, **sets}.items():
            results[f"{key} {size}"] = {name: _curve(one) for name, one in judged.items()}
    return results


def _curve(judged: Judged) -> Results:
    return {
        "pictures": judged.pictures,
        "faces": judged.faces,
        "recall": [recall_at(judged, alarms) for alarms in ALARMS],
        "recall_curve": [recall_at(judged, alarms) for alarms in CURVE_ALARMS],
        "precision_curve": [precision_at(judged, recall) for recall in CURVE_RECALLS],
        "threshold": threshold_at(judged, _CONDITION_ALARMS),
        "at_served_score": _at_score(judged, SERVED_SCORE),
    }


def _judge(
    found: Mapping[str, Detector], pictures: HeldOut, size: int, title: str
) -> dict[str, Judged]:
    parts: dict[str, list[Judged]] = {name: [] for name in found}
    progress = _Progress(title, len(pictures.pictures))
    for picture, truth in zip(pictures.pictures, pictures.labels, strict=True):
        pixels = picture.colour()
        least = LEAST_WIDTH * max(pixels.shape[:2]) / size
        for name, detector in found.items():
            parts[name].append(judge(detector.find(pixels, _LOWEST, size), truth, least))
        progress.step()
    return {name: together(judged) for name, judged in parts.items()}


def _at_score(judged: Judged, score: float) -> list[float]:
    """Recall and false alarms a picture at a score."""
    above = judged.scores >= score
    return [
        float((judged.right & above).sum() / max(judged.faces, 1)),
        float((~judged.right & above).sum() / max(judged.pictures, 1)),
    ]


def face_free(
    found: Mapping[str, Detector], served: Mapping[str, FaceDetector], pictures: Sequence[Picture]
) -> Results:
    """Pictures without a face in which one is found, at the served score."""
    chosen = [picture.colour() for picture in pictures if picture.held_out and picture.face_free]
    looks = _looks(found, served)
    return {
        "pictures": len(chosen),
        "alarms": {
            name: int((still.counts(look, chosen, SERVED_SCORE) > 0).sum())
            for name, look in looks.items()
        },
    }


def _looks(
    found: Mapping[str, Detector], served: Mapping[str, FaceDetector]
) -> dict[str, still.Look]:
    """One look at 320 of each detector, and the service's of ours."""

    def once(detector: Detector) -> still.Look:
        return lambda pixels, score: detector.find(pixels, score, min(320, max(pixels.shape)))

    def as_served(detector: FaceDetector) -> still.Look:
        return detector.find

    looks = {name: once(detector) for name, detector in found.items()}
    return looks | {f"{name}, as served": as_served(one) for name, one in served.items()}


def clips(found: Mapping[str, Detector], served: Mapping[str, FaceDetector], data: Path) -> Results:
    """Frames with a face, unrest of its box, and how it jitters on a still scene."""
    folder = subfolder(data, "clips")
    looks = _looks(found, served)
    results: Results = {"frames": {}, "found": {}, "faces": {}, "unrest": {}, "jitter": {}}
    still_scenes: list[tuple[list[Pixels], Any]] = []
    rng = np.random.default_rng(_SEED)
    for file in (*still.WITH_FACES, *still.WITHOUT_FACES):
        pictures = list(still.frames(folder / file))
        results["frames"][file] = len(pictures)
        numbers = {name: still.counts(look, pictures, SERVED_SCORE) for name, look in looks.items()}
        results["found"][file] = {name: float((n > 0).mean()) for name, n in numbers.items()}
        results["faces"][file] = {name: float(n.mean()) for name, n in numbers.items()}
        if file in still.WEBCAM:
            results["unrest"][file] = {
                name: still.unrest(look, pictures, SERVED_SCORE) for name, look in looks.items()
            }
            still_scenes.append(still.still_views(pictures[0], 40, rng))
    results["jitter"] = {
        name: float(np.mean([still.jitter(look, *views, SERVED_SCORE) for views in still_scenes]))
        for name, look in looks.items()
    }
    group = cv2.imread(str(folder / "group_solvay.jpg"))
    if group is None:
        raise DataError(f"{folder / 'group_solvay.jpg'} is missing or damaged")
    results["group"] = {
        f"{name} at {size}": len(detector.find(np.asarray(group, np.uint8), SERVED_SCORE, size))
        for name, detector in found.items()
        for size in SIZES
    }
    return results


def conditions(
    found: Mapping[str, Detector],
    held_out: Mapping[str, HeldOut],
    thresholds: Mapping[str, float],
    most: int = 300,
) -> Results:
    """Recall of one face on a 320x256 canvas under each condition, at equal false alarms."""
    plain: list[Face] = []
    profiles: list[Face] = []
    masks: list[Face] = []
    for pictures in held_out.values():
        for picture, known in zip(pictures.pictures, pictures.labels, strict=True):
            for row, (box, points) in enumerate(zip(known.boxes, known.landmarks, strict=True)):
                tag = picture.tags[row] if picture.people else ""
                if tag in ("with_mask", "mask_weared_incorrect") and box[2] >= LEAST_WIDTH:
                    masks.append((picture, box, points))
                elif box[2] >= 32 and np.isfinite(points).all():
                    (profiles if is_profile(points) else plain).append((picture, box, points))
    rng = np.random.default_rng(_SEED)
    plain = [plain[i] for i in rng.permutation(len(plain))[:most]]
    rows = [(condition, plain) for condition in CONDITIONS]
    rows += [("profiles", profiles[:most]), ("masks", masks[:most])]
    results: Results = {}
    for condition, faces in rows:
        hits = dict.fromkeys(found, 0)
        for picture, box, points in faces:
            canvas, face, _ = scene(picture.colour(), box, points, condition, rng)
            for name, detector in found.items():
                seen = detector.find(canvas, thresholds[name])
                hits[name] += bool(len(seen)) and overlaps(seen.boxes, face[None]).max() >= 0.5
        results[condition] = {
            "faces": len(faces),
            "recall": {name: int(hit) / max(len(faces), 1) for name, hit in hits.items()},
        }
    return results


def large_faces(
    found: Mapping[str, Detector], served: Mapping[str, FaceDetector], held_out: HeldOut
) -> Results:
    """Faces that take a part of a 640x480 picture's width: found as one, and wrong boxes beside."""
    size = (640, 480)
    faces = [
        (picture, box)
        for picture, known in zip(held_out.pictures, held_out.labels, strict=True)
        for box in known.boxes
        if box[2] >= 80
    ]
    looks = _looks(found, served)
    results: Results = {"faces": len(faces), "found": {}, "wrong": {}}
    for part in PARTS:
        right, wrong = dict.fromkeys(looks, 0), dict.fromkeys(looks, 0)
        for picture, box in faces:
            place = np.array([size[0] / 2, max(size[1] / 2, part * size[0] * 0.55)])
            matrix = placing(box, part * size[0] / float(box[2]), 0.0, False, place)
            none = np.empty((0, 4), np.float32)
            labels = Labels(box[None], np.zeros((1, 5, 2), np.float32), none)
            canvas = shown(picture.colour(), labels, matrix, size, 0).pixels
            middle, side = place, part * size[0]
            height = side * float(box[3] / box[2])
            face = np.array([[*(middle - (side / 2, height / 2)), side, height]], np.float32)
            for name, look in looks.items():
                boxes = look(canvas, SERVED_SCORE).boxes
                alike = _alike_on_canvas(boxes, face, size)
                right[name] += int(alike.sum() == 1)
                wrong[name] += int((~alike).sum())
        for key, numbers in (("found", right), ("wrong", wrong)):
            for name, number in numbers.items():
                results[key].setdefault(name, []).append(number)
    return results


def _alike_on_canvas(
    boxes: NDArray[np.float32], face: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which boxes are the face, both cut off at the canvas's edges as the service does."""
    if len(boxes) == 0:
        return np.zeros(0, bool)
    return overlaps(clip(boxes, *size), clip(face, *size))[:, 0] >= 0.5


def chips(
    served: FaceDetector,
    classify: Callable[[Pixels], NDArray[np.float32]],
    data: Path,
    backgrounds: Sequence[Picture],
    most: int = 1200,
) -> Results:
    """What cutting costs: FER2013's test faces pasted into JPEGs, found, cut out, classified.

    Args:
        served: the service's detector.
        classify: scores [N, 8] of chips uint8 [N, 48, 48].
        data: the folder with ``fer``.
        backgrounds: face-free pictures to paste into.
        most: faces at most.
    """
    faces = fer.load(data)
    majority = fer.fer_plus_majority(faces.votes)
    rows = np.flatnonzero((faces.usage == fer.TEST) & ~faces.seen & (majority >= 0) & faces.exact)
    rng = np.random.default_rng(_SEED)
    rows = rng.permutation(rows)[:most]
    places = [
        np.asarray(cv2.cvtColor(picture.colour(), cv2.COLOR_BGR2GRAY), np.uint8)
        for picture in backgrounds
    ]
    results: Results = {}
    for title, factor, angle in (
        ("1.8 times as large", 1.8, 0.0),
        ("twice as large", 2, 0.0),
        ("three times as large", 3, 0.0),
        ("twice as large, tilted by 15 degrees", 2, 15.0),
    ):
        kept, cut, whole = [], [], []
        for number, row in enumerate(rows):
            canvas, middle = _pasted(faces.pixels[row], places[number % len(places)], factor, angle)
            analysis = served.analyse(jpeg(canvas, _CHIP_QUALITY), SERVED_SCORE, 20)
            seen = analysis.faces.scaled(*_CHIP_CANVAS)
            best = _holding(seen, middle, 48 * factor)
            if best is not None:
                kept.append(row)
                cut.append(analysis.chips[best])
                whole.append(cut_chips(canvas, seen.take(slice(best, best + 1)))[0])
        right = majority[kept]
        results[title] = {
            "faces": len(rows),
            "found": len(kept) / max(len(rows), 1),
            "original": float((classify(faces.pixels[kept]).argmax(axis=1) == right).mean()),
            "cut": float((classify(np.stack(cut)).argmax(axis=1) == right).mean()),
            "whole": float((classify(np.stack(whole)).argmax(axis=1) == right).mean()),
        }
    return results


def _pasted(
    face: Pixels, place: Pixels, factor: float, angle: float
) -> tuple[Pixels, NDArray[np.float64]]:
    """A face in the middle of a picture of 640x480, and where that is."""
    canvas = cv2.resize(place, _CHIP_CANVAS, interpolation=cv2.INTER_LINEAR)
    middle = np.array(_CHIP_CANVAS) / 2
    matrix = placing(np.array([0, 0, 48, 48], np.float32), factor, np.deg2rad(angle), False, middle)
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    inner = cv2.warpAffine(
        face, matrix, _CHIP_CANVAS, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    mask = cv2.warpAffine(np.full_like(face, 255), matrix, _CHIP_CANVAS, flags=cv2.INTER_NEAREST)
    return np.where(mask > 0, inner, canvas).astype(np.uint8), middle


def _holding(faces: Faces, middle: NDArray[np.float64], side: float) -> int | None:
    """Which is the best face whose middle is within a quarter of ``side`` of ``middle``."""
    if len(faces) == 0:
        return None
    middles = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
    near = np.flatnonzero(np.hypot(*(middles - middle).T) < side / 4)
    return int(near[0]) if len(near) else None


def times(models: Mapping[str, bytes], rounds: int = 200) -> Results:
    """ONNX Runtime's time of a 320x256 picture on one thread, in turns: median ms, median ratio."""
    sessions = {name: session(model) for name, model in models.items()}
    rng = np.random.default_rng(_SEED)
    taken: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds + 20):
        for name, one in sessions.items():
            picture = rng.uniform(0, 255, (1, 3, 256, 320)).astype(np.float32)
            begin = time.perf_counter()
            one.run(None, {one.get_inputs()[0].name: picture})
            taken[name].append(time.perf_counter() - begin)
    seconds = {name: np.array(values[20:]) for name, values in taken.items()}
    base = seconds["YuNet 2023mar"]
    return {
        name: {"ms": float(1000 * np.median(v)), "ratio": float(np.median(v / base))}
        for name, v in seconds.items()
    }


def served(model: Path, size: int = 320) -> FaceDetector:
    """The service's detector with a model."""
    return FaceDetector(Network(model, size), Limits(max_bytes=1 << 22, max_pixels=40_000_000))


class _Progress:
    """A progress bar."""

    def __init__(self, title: str, steps: int) -> None:
        print(title, flush=True)
        self._bar = keras.utils.Progbar(steps, unit_name="picture")

    def step(self) -> None:
        self._bar.add(1)
