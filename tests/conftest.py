"""What every test shares: few threads, so that many tests fit on two cores, and no calls to anywhere."""

from __future__ import annotations

import os

for name, value in {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
}.items():
    os.environ[name] = value
for name in ("RC_LAKE", "DAGSTER_HOME"):
    os.environ.pop(name, None)
