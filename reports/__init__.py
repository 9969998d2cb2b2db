"""Reports for people: tables, figures and verdicts, made from result files only."""
