"""Reward scoring: what answers are worth, by a reward model, by a check that can be verified, or by a judge."""
