"""What everyone agrees on: frozen values, no I/O."""
