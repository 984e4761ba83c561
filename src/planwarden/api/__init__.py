"""What is served over HTTP: ASGI applications, and a small server for those that need no more."""
