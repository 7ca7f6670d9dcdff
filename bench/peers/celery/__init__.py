"""Celery with its Redis broker."""
