"""What jobs and agents report: experiments, runs, measurements, artifacts, log messages and spans."""
