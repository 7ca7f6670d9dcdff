"""Settings and where they come from: the environment, `.env`, files of secrets and the TOML file."""
