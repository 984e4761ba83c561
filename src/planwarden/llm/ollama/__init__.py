"""Ollama as an LLMService, over its own HTTP interface."""
