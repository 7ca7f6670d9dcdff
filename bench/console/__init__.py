"""The console measured: how fast its pages are over a long history, and how much memory it takes."""
