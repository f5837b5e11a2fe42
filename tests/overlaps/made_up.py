"""Texts without end, no two alike."""

from __future__ import annotations

from random import Random

ENGLISH = (
    "river",
    "lamp",
    "seven",
    "garden",
    "hollow",
    "price",
    "winter",
    "copper",
    "letter",
    "engine",
    "north",
    "salt",
)
CHINESE = "山水火木金土日月星云风雨雪花草树鸟鱼虫马牛羊门窗桌椅书笔纸灯船车路桥田井城村人手"


def sentence(seed: int | str, words: int = 40) -> str:
    """Return words that no other seed puts in the same order."""
    rng = Random(f"sentence {seed}")
    return " ".join(rng.choice(ENGLISH) + str(rng.randrange(1000)) for _ in range(words))


def chinese(seed: int | str, characters: int = 60) -> str:
    """Return characters that no other seed puts in the same order."""
    rng = Random(f"chinese {seed}")
    return "".join(rng.choice(CHINESE) for _ in range(characters))
