"""What leaves a run to be watched: log lines without secrets, and spans; the record itself is the journal."""
