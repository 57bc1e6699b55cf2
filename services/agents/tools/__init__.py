"""The tools that the stack runs itself: what they are, who runs them, and how."""
