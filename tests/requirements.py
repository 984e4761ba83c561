"""The requirements that tests show, id → one sentence. Checked both ways by tests/test_requirements.py."""

REQUIREMENTS: dict[str, str] = {
}
