"""Where training jobs run: a Ray cluster, by default one on this machine that is started when a job needs it."""
