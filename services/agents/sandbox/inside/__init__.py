"""What runs on the far side of the sandbox's walls; it imports nothing of the project outside of this folder."""
