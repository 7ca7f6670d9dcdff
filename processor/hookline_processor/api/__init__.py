"""What users declare: which function handles which kind of event, and what runs around it."""
