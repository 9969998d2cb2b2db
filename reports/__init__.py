"""What people read: tables and figures, made from result files only."""
