"""Importing the user's handlers from the working folder."""
