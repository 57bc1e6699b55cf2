"""The evaluation service: evaluations, reward scoring, and the record of experiments."""
