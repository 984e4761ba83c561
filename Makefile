.DEFAULT_GOAL := help
PY := .venv/bin/python
