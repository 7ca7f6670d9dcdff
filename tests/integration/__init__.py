"""Tests of one service against a real Redis server."""
