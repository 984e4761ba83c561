"""Fill docs/benchmark.md, and draw its pictures, from the results of `make bench-planner`.

make bench-planner ARGS="--out results.json"
python scripts/generate_benchmark.py results.json
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE, IMAGES = ROOT / "docs" / "benchmark.md", ROOT / "docs" / "images"


def main(path: Path) -> None:
    """Read, draw, write."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.planner.page import filled_in  # noqa: PLC0415 - needs the path
    from benchmarks.planner.plots import draw_all  # noqa: PLC0415 - needs the path
    from benchmarks.planner.results import Results  # noqa: PLC0415 - needs the path

    results = Results.model_validate_json(path.read_bytes())
    for drawn in draw_all(results, IMAGES):
        print(f"wrote {drawn.relative_to(ROOT)}")
    PAGE.write_text(filled_in(PAGE.read_text("utf-8"), results), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
