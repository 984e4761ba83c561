"""What is known of human languages: their numbers and dates, which one a text is in, our own fixed texts."""
