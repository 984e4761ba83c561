"""llama.cpp in this process as an LLMService."""
