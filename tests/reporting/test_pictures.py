from __future__ import annotations

from itertools import pairwise

from rc_pipeline.reporting.pictures import KINDS, look


def lightness(colour: str) -> float:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_kinds_of_runs_differ_in_lightness_enough_for_a_grey_print() -> None:
    levels = [lightness(style["facecolor"]) for style in KINDS.values()]
    assert all(lighter - darker > 0.2 for lighter, darker in pairwise(levels))


def test_thirty_curves_can_be_told_apart_without_their_colour() -> None:
    assert len({look(at)[1:] for at in range(30)}) == 30
