"""Training jobs as clients see them: requests, state, logs and metrics, checkpoints and where those are served."""
