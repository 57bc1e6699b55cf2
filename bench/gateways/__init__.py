"""The peers of the gateway's benchmark, and the service behind all of them."""
