"""The figures of a run as an event file that TensorBoard reads, without TensorBoard."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

CASTAGNOLI = 0x82F63B78


def write_events(path: Path, curves: Mapping[str, Iterable[tuple[int, float]]], *, time: float) -> None:
    """Write the (step, value) points of curves by name; all are dated `time`."""
    events = [_fixed64(1, time) + _bytes(3, b"brain.Event:2")]
    for name, points in curves.items():
        for step, value in points:
            # Event: wall_time 1, step 2, summary 5. Summary: value 1. Value: tag 1, simple_value 2.
            point = _bytes(1, name.encode()) + b"\x15" + struct.pack("<f", value)
            events.append(_fixed64(1, time) + b"\x10" + _varint(step) + _bytes(5, _bytes(1, point)))
    path.write_bytes(b"".join(_record(event) for event in events))


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    """Return the masked CRC-32C of the record format."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _table() -> Sequence[int]:
    table = list(range(256))
    for _ in range(8):
        table = [(value >> 1) ^ (CASTAGNOLI if value & 1 else 0) for value in table]
    return table


TABLE = _table()


def _fixed64(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<d", value)


def _bytes(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
