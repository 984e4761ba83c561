"""What adapters share on the way to a server and back: schemas, tools, probabilities, bounded reading."""
