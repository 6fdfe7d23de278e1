"""What every part may use: ordered services, signals, systemd, logs, redaction, rings, the work directory, garbage."""
