"""Checks an exported dossier with nothing but the standard library, and says what it holds.

python examples/read_a_dossier.py ~/.local/share/planwarden/dossiers/RUN.json [HEAD]

HEAD is the head of the chain as you keep it elsewhere: only with it is a dropped end found.
"""

import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any


def recomputed(dossier: dict[str, Any]) -> str:
    """Recompute the chain; give its head, or say where it breaks."""
    previous = "sha256:" + "0" * 64
    for place, event in enumerate(dossier["events"], start=1):
        at = datetime.fromisoformat(event["at"]).isoformat(timespec="microseconds")
        linked = {key: event[key] for key in ("seq", "epoch", "kind", "payload_digest")}
        linked |= {"run_id": dossier["run_id"], "at": at, "previous": previous}
        text = json.dumps(linked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        if event["seq"] != place or event["hash"] != previous:
            return f"broken at event {place}"
    return previous


def main(path: str, kept: str | None = None) -> int:
    """Check and describe; give an exit code."""
    dossier = json.loads(Path(path).read_text("utf-8"))
    head = recomputed(dossier)
    if head != dossier["head"] or (kept is not None and head != kept):
        print(f"altered: {head}, but the head is {kept or dossier['head']}")
        return 6
    print(f"intact: {len(dossier['events'])} events, head {head}")
    print(f"asked: {dossier['task']['prompt']}")
    for call in dossier["calls"]:
        verdict = call["verdict"] or {"verdict": "refused", "rule": call["refusal"]}
        print(
            f"call {call['id']} {call['tool']}: {verdict['verdict']} by {verdict['rule']}, {call['status']}"
        )
    for deviation in dossier["deviations"]:
        print(f"deviation: {deviation['kind']} at event {deviation['seq']}")
    print(f"{dossier['status']}, adherence {dossier['adherence']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
