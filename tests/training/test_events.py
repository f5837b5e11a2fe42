from __future__ import annotations

import struct
from pathlib import Path

import pytest

from rc_pipeline.training.events import _checksum, write_events

CURVES = {"loss": [(1, 2.5), (2, 2.25), (300, 0.5)], "held_out_loss": [(300, 0.75)]}


def test_the_checksum_is_that_of_the_record_format() -> None:
    # The check value of CRC-32C, masked: rotated right by 15 bits and moved by a constant.
    crc = 0xE3069283
    assert _checksum(b"123456789") == struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def test_a_file_is_records_from_end_to_end(tmp_path: Path) -> None:
    write_events(tmp_path / "_events.out.tfevents", CURVES, time=7.0)

    data, records = (tmp_path / "_events.out.tfevents").read_bytes(), []
    while data:
        length = struct.unpack("<Q", data[:8])[0]
        assert data[8:12] == _checksum(data[:8])
        records.append(data[12 : 12 + length])
        assert data[12 + length : 16 + length] == _checksum(records[-1])
        data = data[16 + length :]
    assert len(records) == 5


def test_tensorboard_reads_every_point(tmp_path: Path) -> None:
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write_events(tmp_path / "_events.out.tfevents", CURVES, time=7.0)

    accumulator = loader.EventAccumulator(str(tmp_path))
    accumulator.Reload()

    for name, points in CURVES.items():
        assert [(event.step, event.value) for event in accumulator.Scalars(name)] == points
