"""Trained models on disk: saved by a job, described for people, made small, sent to the hub."""
