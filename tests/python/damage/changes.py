"""Ways to damage a file's bytes, drawn by number: the same number gives the same damage.

Not for what must come of it: `kinds.py`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

Draw = random.Random
Change = Callable[[bytearray, bytes, Draw], None]

_WORDS = (
    0,
    1,
    2,
    7,
    0x7F,
    0xFF,
    0xFFFF,
    1 << 31,
    (1 << 31) - 1,
    1 << 32,
    1 << 48,
    1 << 62,
    (1 << 63) - 1,
    (1 << 64) - 1,
)


def _place(content: bytearray, draw: Draw, size: int = 1) -> int:
    """Draw a place: half of them near the ends, where a file says what it is."""
    last = max(len(content) - size, 0)
    near = min(last, 400)
    return draw.choice(
        (draw.randint(0, last), draw.randint(0, last), draw.randint(0, near), last - draw.randint(0, near))
    )


def _bit(content: bytearray, other: bytes, draw: Draw) -> None:
    content[_place(content, draw)] ^= 1 << draw.randrange(8)


def _bits(content: bytearray, other: bytes, draw: Draw) -> None:
    for _ in range(draw.randint(2, 12)):
        _bit(content, other, draw)


def _byte(content: bytearray, other: bytes, draw: Draw) -> None:
    content[_place(content, draw)] ^= draw.randint(1, 255)


def _word(content: bytearray, other: bytes, draw: Draw) -> None:
    size = draw.choice((4, 8))
    at = _place(content, draw, size) // size * size
    word = draw.choice(_WORDS) if draw.random() < 0.7 else draw.getrandbits(draw.randint(1, 64))
    content[at : at + size] = (word % (1 << 8 * size)).to_bytes(size, "little")


def _cut(content: bytearray, other: bytes, draw: Draw) -> None:
    del content[_place(content, draw) :]


def _cut_out(content: bytearray, other: bytes, draw: Draw) -> None:
    at = _place(content, draw)
    del content[at : at + draw.choice((1, 4, 8, 64, 512))]


def _extend(content: bytearray, other: bytes, draw: Draw) -> None:
    size = draw.choice((1, 4, 8, 64, 4096))
    content += draw.choice((bytes(size), draw.randbytes(size), bytes(content[-size:])))


def _insert(content: bytearray, other: bytes, draw: Draw) -> None:
    at, size = _place(content, draw), draw.choice((1, 4, 8, 64))
    content[at:at] = draw.choice((bytes(size), draw.randbytes(size)))


def _splice(content: bytearray, other: bytes, draw: Draw) -> None:
    at = _place(content, draw)
    if draw.random() < 0.5:
        content[at:] = other[at:]  # half of each, as an interrupted copy leaves it
    else:
        content[at:] = other[draw.randint(0, len(other)) :]


def _swap(content: bytearray, other: bytes, draw: Draw) -> None:
    size = draw.choice((4, 8, 8, 16, 64, 512))
    first, second = (_place(content, draw, size) // size * size for _ in range(2))
    one, two = content[first : first + size], content[second : second + size]
    if len(one) == len(two):
        content[first : first + size], content[second : second + size] = two, one


def _zeros(content: bytearray, other: bytes, draw: Draw) -> None:
    size = draw.choice((16, 64, 512, 4096))
    at = _place(content, draw) // size * size
    content[at : at + size] = bytes(len(content[at : at + size]))


def _repeat(content: bytearray, other: bytes, draw: Draw) -> None:
    size = draw.choice((8, 64, 512))
    at, to = _place(content, draw, size), _place(content, draw, size)
    block = content[at : at + size]
    content[to : to + len(block)] = block


CHANGES: dict[str, Change] = {
    "a bit": _bit,
    "bits": _bits,
    "a byte": _byte,
    "a word": _word,
    "cut": _cut,
    "cut out": _cut_out,
    "extended": _extend,
    "inserted": _insert,
    "spliced": _splice,
    "swapped": _swap,
    "zeros": _zeros,
    "repeated": _repeat,
}
_NAMES = list(CHANGES)


def damaged(content: bytes, other: bytes, seed: str) -> tuple[str, bytes]:
    """Damage a file's contents; `other` is of another file of its kind. Give the name of the change too."""
    draw = random.Random(seed)
    while True:
        name = draw.choice(_NAMES)
        out = bytearray(content)
        CHANGES[name](out, other, draw)
        if out not in (content, other):  # another sound file in whole is no damage
            return name, bytes(out)
