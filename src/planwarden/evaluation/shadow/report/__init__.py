"""What a shadow run found: put together, judged in a sentence, and shown."""
