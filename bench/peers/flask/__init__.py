"""Flask on gunicorn, with redis-py."""
