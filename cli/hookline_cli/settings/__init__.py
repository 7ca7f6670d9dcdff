"""The settings of both services as the commands see them: values, sources, and those of a running `hookline up`."""
