"""Running Python that nobody vouches for: no network, no host files, no host environment, and bounds on all it uses."""
