"""How the command line shows a run: on a terminal, in a pipe, or as one JSON object."""
