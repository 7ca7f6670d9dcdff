"""dramatiq with its Redis broker."""
