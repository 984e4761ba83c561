"""Tools that ask a server; each is off until its address is configured."""
