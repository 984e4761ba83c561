"""One behaviour each around any LLMService, and how the product stacks them."""
