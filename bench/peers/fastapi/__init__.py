"""FastAPI on uvicorn, with redis-py."""
