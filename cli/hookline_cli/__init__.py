"""The `hookline` command, one file per subcommand."""
