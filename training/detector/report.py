"""What an evaluation found, as the document's tables and plots. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.plots import line_plot
from training.detector.conditions import CONDITIONS
from training.detector.evaluate import (
    ALARMS,
    CURVE_ALARMS,
    CURVE_RECALLS,
    PARTS,
    SERVED_SCORE,
    SIZES,
)

Results = Mapping[str, Any]

BEGIN = "<!-- written by python -m training.detector evaluate -->"

_SETS = {
    "all": "All pictures of both kinds below together",
    "people": "Boxes drawn by people (street scenes, most faces masked, and PASCAL VOC pictures)",
    "machine": "Boxes that the references agree on (everyday scenes, sport, stage, portraits)",
}
_BOXES = {"all": "all pictures", "people": "people's boxes", "machine": "machine's boxes"}


def markdown(results: Results, plots: Sequence[str]) -> str:
    """All tables; ``plots`` are file names of pictures that stand after the curves."""
    parts = [
        *_curves(results["curves"]),
        *(f"![{name.removesuffix('.svg')}]({name})" for name in plots),
        *_face_free(results["face_free"]),
        *_clips(results["clips"]),
        *_conditions(results["conditions"]),
        *_large(results["large"]),
        *_chips(results["chips"]),
        *_times(results["times"]),
    ]
    return "\n\n".join(parts)


def card(results: Results) -> str:
    """The table of the model's card: ours beside YuNet 2023mar."""
    names = ("ours", "YuNet 2023mar")
    found, free = results["clips"]["found"], results["face_free"]
    rows = [
        [
            f"recall at 0.1 false alarms a picture, {boxes}, longer side {size}",
            *(
                f"{results['curves'][f'{key} {size}'][n]['recall'][ALARMS.index(0.1)]:.3f}"
                for n in names
            ),
        ]
        for key, boxes in _BOXES.items()
        for size in SIZES
    ]
    rows.append(
        [
            f"pictures without a face, of {free['pictures']}, in which one is found",
            *(str(free["alarms"][n]) for n in names),
        ]
    )
    rows += [
        [f"frames of `{clip}` with a face", *(f"{100 * found[clip][n]:.0f} %" for n in names)]
        for clip in ("webcam_again.mkv", "webcam_book.mkv", "webcam_sorry.mkv", "stage.mp4")
    ]
    clip = "back_view_no_face.mp4"
    rows.append(
        [f"frames of `{clip}` with a false one", *(f"{100 * found[clip][n]:.0f} %" for n in names)]
    )
    rows.append(
        [
            "jitter on a still scene, thousandths of the face's width",
            *(f"{results['clips']['jitter'][n]:.1f}" for n in names),
        ]
    )
    rows.append(["time, YuNet's is 1", *(f"{results['times'][n]['ratio']:.2f}" for n in names)])
    return table(["", *names], rows)


def svgs(results: Results) -> dict[str, str]:
    """Plots by file name: recall over false alarms, precision over recall, by set and size."""
    plots = {}
    for key, found in results["curves"].items():
        boxes, size = key.split()
        for kind, xs, label, log in (
            ("recall", CURVE_ALARMS, "false alarms a picture", True),
            ("precision", CURVE_RECALLS, "recall", False),
        ):
            points = [
                {"x": float(f"{x:.3g}")}
                | {who: one[f"{kind}_curve"][i] for who, one in found.items()}
                for i, x in enumerate(xs)
            ]
            title = f"{kind.capitalize()}, {_BOXES[boxes]}, longer side {size}"
            plots[f"detector-{kind}-{boxes}-{size}.svg"] = line_plot(
                title, label, points, log_x=log
            )
    return plots


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _curves(curves: Results) -> list[str]:
    parts = ["### Recall at equal false alarms"]
    for key, title in _SETS.items():
        rows = []
        some: Mapping[str, Any] = {}
        for size in SIZES:
            found = curves[f"{key} {size}"]
            for name, one in found.items():
                some = one
                served = one["at_served_score"]
                rows.append(
                    [
                        f"{name}, {size}",
                        str(one["faces"]),
                        *(f"{recall:.3f}" for recall in one["recall"]),
                        f"{served[0]:.3f} at {served[1]:.2f}",
                    ]
                )
        head = ["longer side", "faces", *(f"at {alarms:g}" for alarms in ALARMS)]
        parts.append(f"{title}: {some['pictures']} pictures.")
        parts.append(table([*head, f"score {SERVED_SCORE:g}"], rows))
    return parts


def _face_free(results: Results) -> list[str]:
    number = results["pictures"]
    rows = [[name, str(n), f"{n / number:.2%}"] for name, n in results["alarms"].items()]
    return [
        "### Pictures without a face",
        f"{number} pictures; those in which something scores {SERVED_SCORE:g} or more, longer side "
        "320.",
        table(["", "pictures", "share"], rows),
    ]


def _clips(results: Results) -> list[str]:
    names = list(next(iter(results["found"].values())))
    frames = [
        [f"{clip} ({results['frames'][clip]})", *(f"{100 * found[n]:.1f} %" for n in names)]
        for clip, found in results["found"].items()
    ]
    steady = [
        [f"unrest, {clip}", *(f"{found[n]:.1f}" for n in names)]
        for clip, found in results["unrest"].items()
    ]
    steady.append(["jitter of a still scene", *(f"{results['jitter'][n]:.1f}" for n in names)])
    group = [[name, str(number)] for name, number in results["group"].items()]
    return [
        "### Clips",
        "Frames in which a face is found; `back_view_no_face.mp4` shows none.",
        table(["clip (frames)", *names], frames),
        "How much the middle of the best face moves, in thousandths of its width: second "
        "differences from "
        "frame to frame (median), and of a frame shifted by known parts of a pixel, with "
        "noise, through JPEG.",
        table(["", *names], steady),
        "Faces found in `group_solvay.jpg`, which shows 29.",
        table(["", "faces"], group),
    ]


def _conditions(results: Results) -> list[str]:
    names = list(next(iter(results.values()))["recall"])
    how = dict(CONDITIONS) | {
        "profiles": "the tip of the nose half the distance of the eyes off their middle, or more",
        "masks": "as people tagged them",
    }
    rows = [
        [
            f"{condition}: {how[condition]}",
            str(row["faces"]),
            *(f"{row['recall'][name]:.3f}" for name in names),
        ]
        for condition, row in results.items()
    ]
    return [
        "### Conditions",
        "One face of 48 pixels on a 320x256 canvas; each detector at the score where it "
        "raises 0.1 false "
        "alarms a picture on the pictures above with machine's boxes at 320. Conditions that "
        "no picture is "
        "labelled with are made from labelled ones, as the row says.",
        table(["condition", "faces", *names], rows),
    ]


def _large(results: Results) -> list[str]:
    rows = [
        [
            name,
            *(
                f"{found / max(results['faces'], 1):.2f}, {wrong}"
                for found, wrong in zip(founds, wrongs, strict=True)
            ),
        ]
        for (name, founds), wrongs in zip(
            results["found"].items(), results["wrong"].values(), strict=True
        )
    ]
    return [
        "### Large faces",
        f"{results['faces']} faces, each shown so that it takes a part of the width of a "
        "640x480 picture, which is "
        "looked at with the longer side at 320: the share found as one face, and wrong boxes "
        "beside it in all "
        "pictures together.",
        table(["part of the width", *(f"{part:g}" for part in PARTS)], rows),
    ]


def _chips(results: Results) -> list[str]:
    rows = [
        [
            title,
            str(row["faces"]),
            *(f"{100 * row[key]:.1f} %" for key in ("found", "original", "whole", "cut")),
        ]
        for title, row in results.items()
    ]
    return [
        "### Chips",
        "FER2013's test faces that training did not see, 48 pixels wide, pasted into face-free "
        "pictures of 640x480, encoded as JPEG, found and cut out again by "
        "the service; accuracy of the packaged classifier by FER+'s protocol, on the faces "
        "that were found. What is served is cut from as few of the JPEG's pixels as is enough.",
        table(
            ["pasted", "faces", "found", "original chips", "cut from all pixels", "as served"],
            rows,
        ),
    ]


def _times(results: Results) -> list[str]:
    rows = [[name, f"{row['ms']:.2f} ms", f"{row['ratio']:.2f}"] for name, row in results.items()]
    return [
        "### Time",
        "ONNX Runtime, one 320x256 picture, one thread, in turns; the ratio is to YuNet "
        "2023mar in the same turn.",
        table(["", "median", "ratio"], rows),
    ]
