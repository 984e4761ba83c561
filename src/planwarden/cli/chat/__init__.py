"""`planwarden chat`: a conversation in the terminal."""
