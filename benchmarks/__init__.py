"""The harness: data, metrics, training, tiled inference, jobs, tracking and the command line."""
