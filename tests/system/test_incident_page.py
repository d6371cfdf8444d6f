"""docs/incidents.md names tests that exist."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = [line for line in (ROOT / "docs" / "incidents.md").read_text().splitlines() if line.startswith("| ")][1:]


def is_there(where, name):
    if where == "tests/transcripts":
        return (ROOT / where / f"{name}.smtp").exists()
    if where == "fuzz":
        return (ROOT / where / f"{name}_fuzz.cc").exists()
    file = ROOT / where
    return file.exists() and re.search(rf"(?<![\w-]){re.escape(name)}\b", file.read_text()) is not None


def test_every_incident_has_tests_that_exist():
    assert len(ROWS) > 40
    for row in ROWS:
        named = re.findall(r"`([\w/.]+)::([\w-]+)`", row)
        assert named or "not here" in row, row
        missing = [f"{where}::{name}" for where, name in named if not is_there(where, name)]
        assert not missing, missing
