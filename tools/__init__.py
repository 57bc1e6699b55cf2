"""Programs of the build: code generation and checks. Nothing of the running mesh imports them."""
