"""What the memory benchmark is made of."""
