"""The test kit for users. It is light to import, since pytest loads its plugin wherever Hookline is installed."""
