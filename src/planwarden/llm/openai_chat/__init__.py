"""Any OpenAI-compatible server (vLLM, llama.cpp, LM Studio, a cloud) over the official client."""
